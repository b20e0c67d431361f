package codec

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"daybook/eventstore"
	"daybook/eventstore/canon"
)

// TestLinesTellOfNobody fills every form with texts of its own and looks for them in the
// line that the API and exports hand out: none is there but those that are in clear by
// intention, and no ciphertext is, which a key that leaks later would open.
func TestLinesTellOfNobody(t *testing.T) {
	c := New(newMemoryKeys())
	withheld := 0
	for _, f := range allForms() {
		event := filled(t, f.goType())
		e, err := c.Encode(context.Background(), testDay, testID, event, testMeta)
		if err != nil {
			t.Fatal(err)
		}
		line, err := canon.AppendLine(nil, eventstore.Record{Event: e, Stream: testDay, Revision: 3, Position: 4})
		if err != nil {
			t.Fatal(err)
		}
		texts := map[string][]string{}
		collectTexts(reflect.ValueOf(event), "", texts)
		for path, values := range texts {
			clear := slices.Contains(inClear[f.typeName()], path)
			for _, v := range values {
				if got := bytes.Contains(line, []byte(v)); got != clear {
					t.Errorf("%s: %s stands in the line: %t, want %t\n%s", f.typeName(), path, got, clear, line)
				}
			}
		}
		var form struct {
			Personal []byte `json:"personal"`
		}
		if err := json.Unmarshal(e.Data, &form); err != nil {
			t.Fatal(err)
		}
		if len(form.Personal) > 0 {
			withheld++
			if text := base64.StdEncoding.EncodeToString(form.Personal); bytes.Contains(line, []byte(text[:24])) {
				t.Errorf("%s: the ciphertext stands in the line\n%s", f.typeName(), line)
			}
		}
	}
	if withheld < 10 {
		t.Errorf("only %d forms have a personal part: this test looks at too little", withheld)
	}
}

// TestContactsInClear: how somebody can be reached is in clear only where a restaurant says
// it to everybody, in its own profile.
func TestContactsInClear(t *testing.T) {
	for name, paths := range inClear {
		for _, path := range paths {
			lower := strings.ToLower(path)
			reaches := slices.ContainsFunc([]string{"email", "phone", "contact", "firstname", "lastname", "guest", "notes", "request"}, func(word string) bool {
				return strings.Contains(lower, word)
			})
			if reaches && !slices.Contains(profileInClear, path) && path != "EmailHash" {
				t.Errorf("%s: %s is in clear", name, path)
			}
		}
	}
}
