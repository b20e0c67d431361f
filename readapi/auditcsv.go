package readapi

import (
	"context"
	"encoding/csv"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"daybook/internal/httpapi"
	"daybook/internal/problem"
	"daybook/internal/sheet"
	"daybook/projections/reporting"
)

// Limits of an audit trail as CSV.
const (
	maxExports   = 4       // at once in this process
	maxExported  = 500_000 // rows
	exportWithin = 10 * time.Minute
	pageWithin   = 20 * time.Second // to read and send one page
)

// auditColumns are the columns of the CSV.
var auditColumns = []string{
	"decidedAt", "recordedAt", "date", "type", "summary", "actorKind", "actorUserId", "role", "apiKey", "process", "reason", "words",
	"reservationId", "waitlistId", "changed", "before", "after", "eventId", "position", "commandId", "requestId", "cause", "correlation",
}

// wantsCSV reports whether a client asks for CSV before anything else.
func wantsCSV(accept string) bool {
	first, _, _ := strings.Cut(accept, ",")
	kind, _, err := mime.ParseMediaType(first)
	return err == nil && kind == "text/csv"
}

// auditCSV answers with the whole range as it stands at one position of the ledger, page by
// page. What goes wrong after it began breaks the connection off: a file that ends early
// must not look like a whole one.
func (r *reads) auditCSV(ctx context.Context, a After, q reporting.AuditQuery, zone string) (*huma.StreamResponse, error) {
	if q.Cursor != "" {
		return nil, badQuery("cursor", "CSV is the whole range; it has no pages")
	}
	if err := r.wait(ctx, reportingView, a); err != nil {
		return nil, err
	}
	// Counting is work, too: who finds no place has made none.
	select {
	case r.exports <- struct{}{}:
	default:
		return nil, problem.New(problem.Overloaded, "as many files are being written as this service has room for; come again")
	}
	q, first, err := r.auditFile(ctx, q)
	if err != nil {
		<-r.exports
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer func() { <-r.exports }()
		hc.SetHeader("Content-Type", "text/csv; charset=utf-8; header=present")
		hc.SetHeader("Content-Disposition", fmt.Sprintf(`attachment; filename="audit-%s.csv"`, q.Restaurant))
		hc.SetHeader("Ledger-Position", strconv.FormatUint(uint64(q.UpTo), 10))
		out, ok := hc.BodyWriter().(http.ResponseWriter)
		if !ok {
			return
		}
		ctx, cancel := context.WithTimeout(httpapi.OpenEnded(hc.Context()), exportWithin)
		defer cancel()
		x := &export{reads: r, to: teller{zone: zone, staff: true}, csv: csv.NewWriter(out), line: http.NewResponseController(out)}
		if err := x.write(ctx, q, first); err != nil {
			panic(http.ErrAbortHandler)
		}
	}}, nil
}

// auditFile is the question that all pages of one file ask, and the first of them.
func (r *reads) auditFile(ctx context.Context, q reporting.AuditQuery) (reporting.AuditQuery, reporting.Page[reporting.AuditEntry], error) {
	var first reporting.Page[reporting.AuditEntry]
	at, err := r.Reporting.Position(ctx)
	if err != nil {
		return q, first, ofEngine("reporting database", err)
	}
	q.OldestFirst, q.Limit, q.UpTo = true, reporting.MaxLimit, max(at, 1)
	n, err := r.Reporting.AuditCount(ctx, q, maxExported+1)
	if err == nil && n > maxExported {
		return q, first, badQuery("from", fmt.Sprintf("the range has more than %d changes, which is the most that one file has; ask for it in parts", maxExported))
	}
	if err == nil {
		first, err = r.Reporting.Audit(ctx, q)
	}
	return q, first, ofEngine("reporting database", err)
}

// export writes one file.
type export struct {
	*reads
	to   teller
	csv  *csv.Writer
	line *http.ResponseController
}

func (x *export) write(ctx context.Context, q reporting.AuditQuery, p reporting.Page[reporting.AuditEntry]) error {
	if err := x.csv.Write(auditColumns); err != nil {
		return err
	}
	for {
		// The server's own limit is for answers that are made at once.
		if err := x.line.SetWriteDeadline(time.Now().Add(pageWithin)); err != nil {
			return err
		}
		for _, e := range p.Items {
			if err := x.row(ctx, e); err != nil {
				return err
			}
		}
		x.csv.Flush()
		if err := x.csv.Error(); err != nil {
			return err
		}
		if err := x.line.Flush(); err != nil {
			return err
		}
		if q.Cursor = p.NextCursor; q.Cursor == "" {
			return nil
		}
		var err error
		if p, err = x.Reporting.Audit(ctx, q); err != nil {
			return err
		}
	}
}

func (x *export) row(ctx context.Context, e reporting.AuditEntry) error {
	c, err := x.change(ctx, e, x.to)
	if err != nil {
		return err
	}
	cells := []string{
		c.DecidedAt, c.RecordedAt, c.Date, c.Type, c.Summary, c.Actor.Kind, c.Actor.UserID, c.Actor.Role, c.Actor.APIKey, c.Actor.Process,
		c.Reason, c.Words, c.ReservationID, c.WaitlistID, strings.Join(c.Changed, " "), string(c.Before), string(c.After),
		c.EventID, strconv.FormatUint(c.Position, 10), c.CommandID, c.RequestID, c.Cause, c.Correlation,
	}
	for i := range cells {
		cells[i] = sheet.Cell(cells[i])
	}
	return x.csv.Write(cells)
}
