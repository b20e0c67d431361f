package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// strictJSON is JSON as bodies are read and written. encoding/json by itself takes the last
// of two values of one name, and puts U+FFFD where it cannot read a character: the ledger
// would keep for ever what nobody sent.
var strictJSON = huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: unmarshal}

var (
	errNoUTF8   = errors.New("it is not UTF-8 throughout")
	errHalfPair = errors.New(`a \u escape is half a surrogate pair`)
	errNumber   = errors.New("a number is too large")
)

func unmarshal(data []byte, into any) error {
	// Huma reads a body twice: as any to check it against its schema, then into its form.
	if _, first := into.(*any); !first {
		return unmarshalForm(data, into)
	}
	if !utf8.Valid(data) {
		return errNoUTF8
	}
	var misfit *json.UnmarshalTypeError
	if err := json.Unmarshal(data, into); errors.As(err, &misfit) {
		return errNumber // all else fits any
	} else if err != nil {
		return err
	}
	if err := wholePairs(data); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return uniqueNames(d)
}

// unmarshalForm reads what the schema has let pass. An integer may stand there as 2.0 or
// 2e2, which is one to JSON Schema and none to encoding/json.
func unmarshalForm(data []byte, into any) error {
	err := json.Unmarshal(data, into)
	var misfit *json.UnmarshalTypeError
	if !errors.As(err, &misfit) || !strings.HasPrefix(misfit.Value, "number") {
		return err
	}
	var plain any
	if err := json.Unmarshal(data, &plain); err != nil {
		return err
	}
	again, err := json.Marshal(plain)
	if err != nil {
		return err
	}
	return json.Unmarshal(again, into)
}

// wholePairs refuses a \u escape of valid JSON that is half a surrogate pair.
func wholePairs(data []byte) error {
	half := func(at int, second bool) bool { // whether \uD800 to \uDBFF, or its second half, stands there
		if at+6 > len(data) || data[at] != '\\' || data[at+1] != 'u' || data[at+2]|0x20 != 'd' {
			return false
		}
		third := data[at+3] | 0x20
		return second == (third >= 'c') && (third == '8' || third == '9' || third >= 'a' && third <= 'f')
	}
	for i := 0; i < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		switch {
		case half(i, true), half(i, false) && !half(i+6, true):
			return errHalfPair
		case half(i, false):
			i += 11
		default:
			i++ // the escaped character, which may be a backslash
		}
	}
	return nil
}

// uniqueNames reads one value of valid JSON and refuses an object that has a name twice.
func uniqueNames(d *json.Decoder) error {
	opening, err := d.Token()
	if err != nil {
		return err
	}
	if opening != json.Delim('{') && opening != json.Delim('[') {
		return nil
	}
	names := map[json.Token]bool{}
	for d.More() {
		if opening == json.Delim('{') {
			name, err := d.Token()
			if err != nil {
				return err
			}
			if names[name] {
				return fmt.Errorf("an object has the name %.50q twice", name)
			}
			names[name] = true
		}
		if err := uniqueNames(d); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}
