package reports

import (
	"encoding/csv"
	"fmt"
	"io"
	"reflect"
	"strings"

	"daybook/internal/sheet"
)

// WriteCSV writes the rows of a report, without the total, under a header that has the names
// of the JSON form. Names of shifts are what somebody chose: no text is taken for a formula.
func (r Report[R]) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	_ = out.Write(Columns[R]()) // Flush tells
	for _, row := range r.Rows {
		v := reflect.ValueOf(row)
		var cells []string
		for _, f := range reflect.VisibleFields(v.Type()) {
			if f.IsExported() {
				cell := v.FieldByIndex(f.Index)
				text := fmt.Sprint(cell.Interface())
				if cell.Kind() == reflect.String {
					text = sheet.Cell(text)
				}
				cells = append(cells, text)
			}
		}
		_ = out.Write(cells)
	}
	out.Flush()
	return out.Error()
}

// Columns names the columns of a report's rows.
func Columns[R any]() (names []string) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[R]()) {
		if f.IsExported() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			names = append(names, name)
		}
	}
	return names
}
