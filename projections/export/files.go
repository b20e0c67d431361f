package export

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"os"
	"path"
	"strconv"
	"time"

	"daybook/projections/reporting"
)

// Column is one of a file. Its type is text, number (64 bits), flag, date, timestamp
// (milliseconds) or moment (microseconds); instants are in UTC.
type Column struct {
	Name     string         `json:"name"`
	Type     reporting.Kind `json:"type"`
	Nullable bool           `json:"nullable"`
}

// kindMoment is an instant in microseconds; its values are int64.
const kindMoment reporting.Kind = "moment"

// form writes rows, whose values are those of reporting.Kind.
type form interface {
	row(values []any) error
	end() error
}

// part is a file that is being written.
type part struct {
	File
	form
	file  *os.File
	out   *bufio.Writer
	sum   hash.Hash
	count *counter
}

type counter struct {
	to io.Writer
	n  int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.n += int64(n)
	return n, err
}

// begin begins a file beside its place.
func (e *exporter) begin(dataset, month, name string, columns []Column) (*part, error) {
	dir := dataset
	if month != "" {
		dir = path.Join(dataset, "month="+month)
	}
	if err := e.folder.root.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	p := &part{File: File{Path: path.Join(dir, name+"."+e.Format), Month: month}, sum: sha256.New()}
	var err error
	if p.file, err = e.folder.root.OpenFile(p.Path+partial, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640); err != nil {
		return nil, err
	}
	p.count = &counter{to: io.MultiWriter(p.file, p.sum)}
	p.out = bufio.NewWriterSize(p.count, 256<<10)
	switch {
	case e.Format == "parquet":
		p.form = newParquet(p.out, columns)
	case e.Format == "csv":
		p.form, err = newCSV(p.out, columns)
	case dataset == Events:
		p.form = asTheyAre{p.out}
	default:
		p.form = &jsonLines{out: p.out, columns: columns}
	}
	if err != nil {
		return nil, errors.Join(err, p.abandon())
	}
	return p, nil
}

// put writes a row.
func (p *part) put(values []any) error {
	p.Rows++
	return p.row(values)
}

// done ends a file; its bytes are on disk when it returns.
func (p *part) done() (File, error) {
	err := errors.Join(p.end(), p.out.Flush(), p.file.Sync(), p.file.Close())
	p.Bytes, p.SHA256 = p.count.n, hex.EncodeToString(p.sum.Sum(nil))
	return p.File, err
}

// abandon leaves a file for the next run to sweep.
func (p *part) abandon() error { return p.file.Close() }

// asTheyAre writes lines that are made already.
type asTheyAre struct{ out io.Writer }

func (a asTheyAre) row(values []any) error { _, err := a.out.Write(values[0].([]byte)); return err }
func (a asTheyAre) end() error             { return nil }

// shown is how a value is written in text; empty for none.
func shown(kind reporting.Kind, v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int64:
		switch kind {
		case reporting.KindInstant:
			return time.UnixMilli(v).UTC().Format("2006-01-02T15:04:05.000Z")
		case kindMoment:
			return time.UnixMicro(v).UTC().Format("2006-01-02T15:04:05.000000Z")
		default:
			return strconv.FormatInt(v, 10)
		}
	}
	return ""
}

// csvFile has a line of names, then the rows.
type csvFile struct {
	to      *csv.Writer
	columns []Column
	cells   []string
}

func newCSV(out io.Writer, columns []Column) (*csvFile, error) {
	f := &csvFile{to: csv.NewWriter(out), columns: columns, cells: make([]string, len(columns))}
	for i, c := range columns {
		f.cells[i] = c.Name
	}
	return f, f.to.Write(f.cells)
}

func (f *csvFile) row(values []any) error {
	for i, v := range values {
		f.cells[i] = shown(f.columns[i].Type, v)
	}
	return f.to.Write(f.cells)
}

func (f *csvFile) end() error {
	f.to.Flush()
	return f.to.Error()
}

// jsonLines has an object for each row, with all of its columns.
type jsonLines struct {
	out     io.Writer
	columns []Column
	line    bytes.Buffer
}

func (f *jsonLines) row(values []any) error {
	f.line.Reset()
	for i, v := range values {
		f.line.WriteByte("{,"[min(i, 1)])
		f.line.WriteString(strconv.Quote(f.columns[i].Name))
		f.line.WriteByte(':')
		if _, number := v.(int64); number && f.columns[i].Type != reporting.KindNumber {
			v = shown(f.columns[i].Type, v)
		}
		text, err := json.Marshal(v)
		if err != nil {
			return err
		}
		f.line.Write(text)
	}
	f.line.WriteString("}\n")
	_, err := f.out.Write(f.line.Bytes())
	return err
}

func (f *jsonLines) end() error { return nil }
