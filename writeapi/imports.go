package writeapi

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode"

	"daybook/commands"
	"daybook/domain"
	"daybook/internal/factfile"
	"daybook/internal/httpapi"
	"daybook/internal/problem"
)

// Limits of an import that comes in one request; larger ones go by the command line.
const (
	maxImportBody = 6 << 20
	maxImportRows = 10_000
	maxProblems   = 500 // rows told of in an answer
	// importTimeout is what an import may take. One that takes longer goes on where it stopped
	// when it is sent again.
	importTimeout = 25 * time.Second
)

type importBody struct {
	Batch      string           `json:"batch" maxLength:"64" doc:"what it is called, and undone with: letters, digits, dots, hyphens and underscores"`
	Mapping    factfile.Mapping `json:"mapping" doc:"which column means what; see docs/import.md"`
	Data       string           `json:"data,omitempty" maxLength:"6000000" doc:"the file as text"`
	DataBase64 string           `json:"dataBase64,omitempty" maxLength:"6000000" doc:"or its bytes, where it is not in UTF-8"`
}

// importReport is what came of a batch.
type importReport struct {
	httpapi.Import
	Preview  bool            `json:"preview,omitempty" doc:"nothing was recorded"`
	Problems []importProblem `json:"problems" doc:"rows that are bad, changed or in conflict, by line; 500 at most"`
	LeftOut  int             `json:"problemsLeftOut,omitempty"`
}

type importProblem struct {
	Line          int                `json:"line"`
	Outcome       string             `json:"outcome" enum:"recorded,changed,bad"`
	Why           string             `json:"why,omitempty"`
	ReservationID string             `json:"reservationId,omitempty"`
	TableIDs      []string           `json:"tableIds,omitempty" doc:"that it has all the same"`
	Conflicts     []httpapi.Conflict `json:"conflicts,omitempty"`
}

type undoImportBody struct {
	Force bool `json:"force,omitempty" doc:"take back what was changed and is still to come, too; never what sat down, was a no-show or cancelled here, or was moved away"`
}

type undoneImport struct {
	httpapi.Import
	Left    []keptReservation `json:"left" doc:"those that were not taken back, as somebody acted on them; 500 at most"`
	LeftOut int               `json:"leftLeftOut,omitempty"`
}

type keptReservation struct {
	ReservationID string `json:"reservationId"`
	ExternalID    string `json:"externalId"`
	Status        string `json:"status"`
	StartsAt      string `json:"startsAt" format:"date-time"`
	ChangedAt     string `json:"changedAt" format:"date-time"`
	Force         bool   `json:"force" doc:"whether force would take it back"`
}

// AboutImport is a request that addresses one batch.
type AboutImport struct {
	About
	Batch string `path:"batch" maxLength:"64" doc:"what the batch is called"`
}

// recordedOrPreview is the answer to an import that may have been a preview.
type recordedOrPreview struct {
	Status int
	Written
	Body importReport
}

func (w *writes) imports(api *httpapi.API) {
	record := managing("record-import", http.MethodPost, "/{id}/imports", "Record bookings of another system as they are there", http.StatusCreated)
	record.Tags, record.MaxBodyBytes, record.BodyReadTimeout = []string{"Imports"}, maxImportBody, importTimeout
	record.Description = "Nothing is refused for want of room: what contradicts the book stands in conflict, for staff to resolve. " +
		"What was broken off goes on when the same is sent again."
	httpapi.Handle(api, record, func(ctx context.Context, in *struct {
		Planned
		Body importBody
	}) (*recordedOrPreview, error) {
		c, id, err := in.asked(ctx, &record, in.Body)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(httpapi.OpenEnded(ctx), importTimeout)
		defer cancel()
		zone, err := w.app.ZoneToManage(ctx, c, id)
		if err != nil {
			return nil, refused(err)
		}
		facts, bad, err := in.Body.facts(zone)
		if err != nil {
			return nil, err
		}
		handle, status := w.app.RecordFacts, record.DefaultStatus
		if in.Preview {
			handle, status = w.app.PreviewFacts, http.StatusOK
		}
		report, err := handle(ctx, c, id, facts)
		if err != nil {
			return nil, cutShort(refused(err))
		}
		answer := &recordedOrPreview{Status: status, Body: reportOf(id, report, bad)}
		if answer.Body.Preview = in.Preview; !in.Preview {
			answer.Written = wrote(report.Position, report.Replayed)
		}
		return answer, nil
	})

	undo := managing("undo-import", http.MethodPost, "/{id}/imports/{batch}/undo", "Take a batch back, but for what somebody acted on since", http.StatusOK)
	undo.Tags = []string{"Imports"}
	httpapi.Handle(api, undo, func(ctx context.Context, in *struct {
		AboutImport
		Body *undoImportBody
	}) (*answer[undoneImport], error) {
		body := undoImportBody{}
		if in.Body != nil {
			body = *in.Body
		}
		c, id, err := in.address(ctx, &undo, struct {
			Batch string
			Body  undoImportBody
		}{in.Batch, body})
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(httpapi.OpenEnded(ctx), importTimeout)
		defer cancel()
		done, err := w.app.UndoFacts(ctx, c, id, in.Batch, body.Force)
		if err != nil {
			return nil, cutShort(refused(err))
		}
		return &answer[undoneImport]{wrote(done.Position, done.Replayed), undoneOf(done)}, nil
	})
}

// cutShort says of an import that took too long how to go on.
func cutShort(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return problem.New(problem.OutcomeUnknown, "it took too long for one request: send it again with the same Idempotency-Key, and it goes on where it stopped")
	}
	return err
}

// facts reads the file by its mapping.
func (b *importBody) facts(zone *time.Location) (commands.RecordFacts, []factfile.BadRow, error) {
	raw := []byte(b.Data)
	switch {
	case b.Data != "" && b.DataBase64 != "":
		return commands.RecordFacts{}, nil, field("body.dataBase64", errors.New("want either data or dataBase64"))
	case b.Data == "" && b.DataBase64 == "":
		return commands.RecordFacts{}, nil, field("body.data", errors.New("want data, or dataBase64"))
	case strings.ContainsFunc(b.Data, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\n\r\t", r) }):
		return commands.RecordFacts{}, nil, field("body.data", errors.New("it has characters that are no text"))
	case b.DataBase64 != "":
		var err error
		if raw, err = base64.StdEncoding.DecodeString(b.DataBase64); err != nil {
			return commands.RecordFacts{}, nil, field("body.dataBase64", err)
		}
	}
	file, err := b.Mapping.Read(raw, zone, maxImportRows)
	var misfit *factfile.MappingError
	if errors.As(err, &misfit) {
		place := "body.data"
		if misfit.Field != "" {
			place = "body.mapping." + misfit.Field
		}
		return commands.RecordFacts{}, nil, field(place, errors.New(misfit.Detail))
	}
	if err != nil {
		return commands.RecordFacts{}, nil, err
	}
	facts := commands.RecordFacts{
		Batch: b.Batch, Source: b.Mapping.Source, Digest: b.Mapping.Digest(raw), Bad: len(file.Bad), Skipped: file.Skipped,
		Rows: make([]commands.FactRow, len(file.Rows)),
	}
	for i, r := range file.Rows {
		facts.Rows[i] = commands.FactRow(r)
	}
	return facts, file.Bad, nil
}

// reportOf tells of a batch and of the rows that somebody has to look at.
func reportOf(id domain.RestaurantID, report commands.FactsReport, bad []factfile.BadRow) importReport {
	f := importReport{Import: httpapi.ImportOf(report.Import, report.Zone), Problems: []importProblem{}}
	f.Counts = httpapi.ImportCountsOf(report.Counts)
	add := func(p importProblem) {
		if len(f.Problems) < maxProblems {
			f.Problems = append(f.Problems, p)
		} else {
			f.LeftOut++
		}
	}
	for _, r := range report.Results {
		for len(bad) > 0 && bad[0].Line < r.Line {
			add(importProblem{Line: bad[0].Line, Outcome: string(commands.FactBad), Why: bad[0].Why})
			bad = bad[1:]
		}
		open := r.Outcome == commands.FactRecorded && len(r.Conflicts) > 0 && r.Status.Live()
		if r.Outcome != commands.FactBad && r.Outcome != commands.FactChanged && !open {
			continue
		}
		p := importProblem{Line: r.Line, Outcome: string(r.Outcome), Why: r.Why, ReservationID: string(r.ID)}
		if open {
			_, date, _ := r.ID.Day()
			p.Conflicts = httpapi.ConflictsOf(id, date, r.Conflicts)
			for _, t := range r.Tables {
				p.TableIDs = append(p.TableIDs, string(t))
			}
		}
		add(p)
	}
	for _, b := range bad {
		add(importProblem{Line: b.Line, Outcome: string(commands.FactBad), Why: b.Why})
	}
	return f
}

func undoneOf(done commands.FactsUndone) undoneImport {
	at := httpapi.InZone(done.Zone)
	f := undoneImport{Import: httpapi.ImportOf(done.Import, done.Zone), Left: []keptReservation{}}
	for _, k := range done.Kept {
		if len(f.Left) == maxProblems {
			f.LeftOut = len(done.Kept) - maxProblems
			break
		}
		f.Left = append(f.Left, keptReservation{
			ReservationID: string(k.ID), ExternalID: k.External, Status: string(k.Status), StartsAt: at(k.StartsAt), ChangedAt: at(k.ChangedAt), Force: k.Forced,
		})
	}
	return f
}
