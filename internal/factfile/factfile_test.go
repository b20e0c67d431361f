package factfile

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

func berlin(t *testing.T) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func instant(t *testing.T, s string) domain.Instant {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return domain.InstantOf(at)
}

func example(t *testing.T, name string) Mapping {
	t.Helper()
	raw, err := os.ReadFile("../../docs/examples/" + name)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseMapping(raw)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// latin1 writes text as a byte for each character.
func latin1(text string) (raw []byte) {
	for _, r := range text {
		raw = append(raw, byte(r))
	}
	return raw
}

// What the examples of the docs read, with everything that can be wrong with one row.
func TestExamples(t *testing.T) {
	csv := latin1("Nr;Datum;Uhrzeit;Dauer;Personen;Status;Tisch;Erfasst;Gast;Telefon;Bemerkung\r\n" +
		"R1;21.11.2026;19:30;120;4;Bestätigt;5+6;01.11.2026 10:00;Zoë Quill;+49 30 1;\"ruhig;\nbitte\"\r\n" +
		"R2;25.10.2026;02:30;;2;bestätigt;;;;;\r\n" + // clocks show it twice
		"R3;29.03.2026;02:30;;2;bestätigt;;;;;\r\n" + // and never
		"R4;21.11.2026;19:30;;2;Anfrage;;;;;\r\n" +
		"R5;21.11.2026;19:30;;zwei;bestätigt;;;;;\r\n" +
		"R6;21.11.2026;19:30;;2;vielleicht;;;;;\r\n" +
		"R7;21.11.26;19:30;;2;bestätigt;;;;;\r\n" +
		"R8;21.11.2026;19:30;1;2;bestätigt;;;;;\r\n" +
		";21.11.2026;19:30;;2;bestätigt;;;;;\r\n" +
		"R9;21.11.2026\r\n" +
		"R10;21.11.2026;20:00;;2;nicht erschienen;;;;;\r\n")
	got, err := example(t, "mapping.json").Read(csv, berlin(t), 100)
	if err != nil {
		t.Fatal(err)
	}
	want := []Row{
		{
			Line: 2, External: "R1", StartsAt: instant(t, "2026-11-21T19:30:00+01:00"), Time: "19:30", Minutes: 120, Party: 4,
			Status: restaurantday.StatusConfirmed, Tables: []string{"5", "6"}, MadeAt: instant(t, "2026-11-01T10:00:00+01:00"),
			Details: restaurantday.Details{Guest: restaurantday.Guest{Name: "Zoë Quill", Phone: "+49 30 1"}, Notes: "ruhig;\nbitte"},
		},
		{Line: 13, External: "R10", StartsAt: instant(t, "2026-11-21T20:00:00+01:00"), Time: "20:00", Party: 2, Status: restaurantday.StatusNoShow},
	}
	if !reflect.DeepEqual(got.Rows, want) || got.Skipped != 1 {
		t.Errorf("got\n%+v\nwant\n%+v", got.Rows, want)
	}
	for i, says := range []string{
		"clocks in Europe/Berlin show that time twice", "clocks in Europe/Berlin skip that time", `Personen: "zwei" is no number`,
		`no status for "vielleicht"; it has "am tisch"`, "is not written as the format says", "it lasts 1 minutes", "Nr: it is empty", "2 fields",
	} {
		if i >= len(got.Bad) || !strings.Contains(got.Bad[i].Why, says) {
			t.Errorf("bad row %d: %+v, want %q", i, got.Bad, says)
			break
		}
	}
	if len(got.Bad) != 8 || got.Bad[0].Line != 4 || got.Bad[7].Line != 12 {
		t.Errorf("%+v", got.Bad)
	}

	lines := []byte("\xef\xbb\xbf" + `{"id":7,"start":"2026-11-21T18:30:00Z","end":"2026-11-21T20:00:00Z","covers":2,"state":"booked","venue":"quay"}
{"id":8,"start":"2026-11-21T18:30:00Z","covers":2,"state":"BOOKED","venue":"hill"}

{"id":9,"start":"2026-11-21T18:30:00Z","covers":[2],"state":"BOOKED","venue":"quay"}
{"id":"10","start":"2026-11-21T18:30:00Z","covers":2,"state":"DONE","venue":"quay","end":null,"table":"4","guest_name":"A","guest_email":"a@b","created":""}
`)
	got, err = example(t, "mapping-ndjson.json").Read(lines, berlin(t), 100)
	if err != nil {
		t.Fatal(err)
	}
	want = []Row{
		{Line: 1, External: "7", StartsAt: instant(t, "2026-11-21T18:30:00Z"), Time: "19:30", Minutes: 90, Party: 2, Status: restaurantday.StatusConfirmed},
		{
			Line: 5, External: "10", StartsAt: instant(t, "2026-11-21T18:30:00Z"), Time: "19:30", Party: 2, Status: restaurantday.StatusCompleted,
			Tables: []string{"4"}, Details: restaurantday.Details{Guest: restaurantday.Guest{Name: "A", Email: "a@b"}},
		},
	}
	if !reflect.DeepEqual(got.Rows, want) || got.Skipped != 1 || len(got.Bad) != 1 || got.Bad[0].Line != 4 {
		t.Errorf("got\n%+v\n%+v\nwant\n%+v", got.Rows, got, want)
	}
}

// A mapping that does not fit says where, and what there is instead.
func TestMappingsThatDoNotFit(t *testing.T) {
	for name, c := range map[string]struct{ mapping, file, field, says string }{
		"unknown field":     {`{"colums":{}}`, "", "", `unknown field "colums"`},
		"no party":          {`{"columns":{"date":"d","time":"t"}}`, "", "columns.party", "want the column"},
		"no start":          {`{"columns":{"party":"p","date":"d"}}`, "", "columns", "want startsAt, or date and time"},
		"two starts":        {`{"columns":{"party":"p","date":"d","time":"t","startsAt":"s"}}`, "", "columns", "want either"},
		"a format":          {`{"columns":{"party":"p","startsAt":"s"},"formats":{"startsAt":"yyyy-MM-DD"}}`, "", "formats.startsAt", `"y" is no part of a format`},
		"a zone":            {`{"columns":{"party":"p","startsAt":"s"},"timeZone":"Mars"}`, "", "timeZone", "no time zone"},
		"a separator":       {`{"columns":{"party":"p","startsAt":"s"},"separator":"#"}`, "", "separator", "want a comma"},
		"a status":          {`{"columns":{"party":"p","startsAt":"s","status":"x"},"statuses":{"a":"gone"}}`, "", "statuses", "want confirmed"},
		"statuses for none": {`{"columns":{"party":"p","startsAt":"s"},"statuses":{"a":"confirmed"}}`, "", "statuses", "of no use"},
		"no such column":    {`{"columns":{"party":"pax","startsAt":"s"}}`, "s,people\n", "columns.party", `the file has no column "pax"; it has "s", "people"`},
		"a column twice":    {`{"columns":{"party":"p","startsAt":"s"}}`, "s,p,p\n", "columns.party", "2 columns"},
		"the separator":     {`{"columns":{"party":"p","startsAt":"s"}}`, "s;p\n", "columns.startsAt", "is the separator another?"},
		"no UTF-8":          {`{"columns":{"party":"p","startsAt":"s"}}`, "s,p\n\xe4,2\n", "encoding", "line 2 is not UTF-8"},
		"UTF-16":            {`{"columns":{"party":"p","startsAt":"s"}}`, "\xff\xfes\x00", "", "UTF-16"},
		"UTF-16, unmarked":  {`{"columns":{"party":"p","startsAt":"s"},"encoding":"latin-1"}`, "s,p\na\x00,\x002", "", "line 2 has a zero byte"},
		"no latin-1":        {`{"columns":{"party":"p","startsAt":"s"},"encoding":"latin-1"}`, "\xef\xbb\xbfs,p\n", "encoding", "the mark of UTF-8"},
		"no hour":           {`{"columns":{"party":"p","startsAt":"s"},"formats":{"startsAt":"DD.MM.YYYY"}}`, "", "formats.startsAt", `"DD.MM.YYYY" does not tell the hour`},
		"no year":           {`{"columns":{"party":"p","date":"d","time":"t"},"formats":{"date":"DD.MM."}}`, "", "formats.date", "does not tell the year"},
		"half a day":        {`{"columns":{"party":"p","date":"d","time":"t"},"formats":{"time":"hh:mm"}}`, "", "formats.time", "does not tell AM or PM"},
		"an empty file":     {`{"columns":{"party":"p","startsAt":"s"}}`, "", "", "the file is empty"},
		"no objects":        {`{"columns":{"party":"p","startsAt":"s"},"format":"ndjson"}`, "[]\n1\n", "", "no line has"},
		"too many rows":     {`{"columns":{"party":"p","startsAt":"s"}}`, "s,p\n1,1\n1,1\n1,1\n", "", "more than 2 rows"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := ParseMapping([]byte(c.mapping))
			if err == nil {
				_, err = m.Read([]byte(c.file), berlin(t), 2)
			}
			var misfit *MappingError
			if !errors.As(err, &misfit) || misfit.Field != c.field || !strings.Contains(misfit.Detail, c.says) {
				t.Errorf("got %#v, want %s: %s", err, c.field, c.says)
			}
		})
	}
}

// Whatever a file holds, reading it ends with rows that the domain would take, or says why not.
func FuzzRead(f *testing.F) {
	f.Add([]byte("s,p,x\n2026-11-21T18:30:00Z,2,y\n"), false)
	f.Add([]byte(`{"s":"2026-11-21T18:30:00Z","p":2,"x":"\u0000"}`), true)
	f.Fuzz(func(t *testing.T, raw []byte, lines bool) {
		m := Mapping{Columns: Columns{StartsAt: "s", Party: "p", Notes: "x"}}
		if lines {
			m.Format = "ndjson"
		}
		got, err := m.Read(raw, time.UTC, 50)
		if err != nil {
			return
		}
		for _, r := range got.Rows {
			if r.StartsAt == 0 || r.Party < 1 || r.Party > domain.MaxPartySize || r.Line < 1 {
				t.Errorf("%+v", r)
			}
		}
	})
}

// A quote that is not closed takes the bookings that follow for a part of its row: the row is
// named by the line on which that begins, and says how far it goes.
func TestRowsOfSeveralLines(t *testing.T) {
	m := Mapping{Columns: Columns{StartsAt: "start", Party: "party", Name: "name"}}
	const row = "2026-11-21T18:30:00Z,2,"
	for file, want := range map[string]BadRow{
		row + "\"Ada\n" + row + "Bo\n" + row + "Cy\n":          {2, `extraneous or missing " in quoted-field; a quote makes one row of lines 2 to 4`},
		row + "\"Ada\n" + row + "Bo\n" + row + "\"Cy\"\n":      {2, `extraneous or missing " in quoted-field; a quote makes one row of lines 2 to 4`},
		row + "\"Ada\n" + row + "Bo\"\n":                       {2, "name: the text has characters that are no text; a quote makes one row of lines 2 to 3"},
		row + "Ad\"a\n":                                        {2, `bare " in non-quoted-field`},
		"45000,2,Ada\n":                                        {2, `start: "45000" is not written as the format says: YYYY-MM-DDTHH:mm:ssZ`},
		"\n\n2026-11-21T18:30:00Z,\"2\n\n\n" + row + "\",Bo\n": {4, "party: \"2\\n\\n\\n2026-11-21T18:30:00Z,2,\" is no number; a quote makes one row of lines 4 to 7"},
	} {
		got, err := m.Read([]byte("start,party,name\n"+file), berlin(t), 10)
		if want := (File{Bad: []BadRow{want}}); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, %v\nwant %+v", file, got, err, want)
		}
	}
}

// What a hostile file repeats without end is left at its limit, not gathered first: gathering
// takes the square of its length.
func TestEndlessCells(t *testing.T) {
	var cell, object strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&cell, "%d+", i)
		fmt.Fprintf(&object, `"f%d":1,`, i)
	}
	m := Mapping{Columns: Columns{StartsAt: "start", Party: "party", Tables: "tables"}}
	got, err := m.Read([]byte("start,party,tables\n2026-11-21T18:30:00Z,2,"+cell.String()+"\n"), berlin(t), 10)
	if want := (File{Bad: []BadRow{{Line: 2, Why: "tables: more than 8 tables"}}}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	m = Mapping{Format: "ndjson", Columns: Columns{StartsAt: "start", Party: "party"}}
	got, err = m.Read([]byte("{"+object.String()+`"start":"2026-11-21T18:30:00Z","party":2}`+"\n"), berlin(t), 10)
	if err != nil || len(got.Rows) != 1 || len(got.Bad) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}
