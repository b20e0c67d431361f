package export

import (
	"fmt"
	"io"
	"reflect"
	"time"

	"github.com/parquet-go/parquet-go"

	"daybook/projections/reporting"
)

// rowsAtOnce is how many rows are handed to the library together.
const rowsAtOnce = 1024

// parquetFile writes columns in their order, compressed with Zstandard.
type parquetFile struct {
	to      *parquet.GenericWriter[any]
	columns []Column
	rows    []parquet.Row
}

func newParquet(out io.Writer, columns []Column) *parquetFile {
	return &parquetFile{
		to:      parquet.NewGenericWriter[any](out, schemaOf(columns), parquet.Compression(&parquet.Zstd), parquet.CreatedBy("daybook", "", "")),
		columns: columns,
	}
}

// schemaOf describes the columns as a struct, which the library takes in its order.
func schemaOf(columns []Column) *parquet.Schema {
	fields := make([]reflect.StructField, len(columns))
	for i, c := range columns {
		tag, kind := c.Name, reflect.TypeFor[string]()
		switch c.Type {
		case reporting.KindText: // as it is
		case reporting.KindNumber:
			kind = reflect.TypeFor[int64]()
		case reporting.KindFlag:
			kind = reflect.TypeFor[bool]()
		case reporting.KindDate:
			tag, kind = tag+",date", reflect.TypeFor[int32]()
		case reporting.KindInstant:
			tag, kind = tag+",timestamp(millisecond)", reflect.TypeFor[int64]()
		case kindMoment:
			tag, kind = tag+",timestamp(microsecond)", reflect.TypeFor[int64]()
		}
		if c.Nullable {
			tag += ",optional"
		}
		fields[i] = reflect.StructField{Name: fmt.Sprintf("C%d", i), Type: kind, Tag: reflect.StructTag(fmt.Sprintf("parquet:%q", tag))}
	}
	return parquet.SchemaOf(reflect.New(reflect.StructOf(fields)).Elem().Interface())
}

func (f *parquetFile) row(values []any) error {
	row := make(parquet.Row, len(values))
	for i, v := range values {
		level := 0
		if f.columns[i].Nullable && v != nil {
			level = 1
		}
		one, err := f.value(f.columns[i], v)
		if err != nil {
			return err
		}
		row[i] = one.Level(0, level, i)
	}
	if f.rows = append(f.rows, row); len(f.rows) == rowsAtOnce {
		return f.flush()
	}
	return nil
}

func (f *parquetFile) value(c Column, v any) (parquet.Value, error) {
	switch v := v.(type) {
	case nil:
		if !c.Nullable {
			return parquet.Value{}, fmt.Errorf("export: column %s has no value", c.Name)
		}
		return parquet.NullValue(), nil
	case bool:
		return parquet.BooleanValue(v), nil
	case int64:
		return parquet.Int64Value(v), nil
	case string:
		if c.Type != reporting.KindDate {
			return parquet.ByteArrayValue([]byte(v)), nil
		}
		date, err := time.Parse(time.DateOnly, v)
		if err != nil {
			return parquet.Value{}, fmt.Errorf("export: column %s: %w", c.Name, err)
		}
		return parquet.Int32Value(int32(date.Unix() / (24 * 60 * 60))), nil
	}
	return parquet.Value{}, fmt.Errorf("export: column %s: a %T", c.Name, v)
}

func (f *parquetFile) flush() error {
	_, err := f.to.WriteRows(f.rows)
	f.rows = f.rows[:0]
	return err
}

func (f *parquetFile) end() error {
	if err := f.flush(); err != nil {
		return err
	}
	return f.to.Close()
}
