package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
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
	return scan(data)
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

// scan refuses what encoding/json lets pass in valid JSON: half a surrogate pair in a
// string, and an object that has a name twice.
func scan(data []byte) error {
	var names [][]byte // of the objects that are open, the innermost last
	var opened []int   // where each one's names begin; -1 for an array
	named := false     // the next string is a name
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{':
			opened, named = append(opened, len(names)), true
		case '[':
			opened, named = append(opened, -1), false
		case ',':
			named = opened[len(opened)-1] >= 0
		case '}', ']':
			first := opened[len(opened)-1]
			opened = opened[:len(opened)-1]
			if first < 0 {
				continue
			}
			if twice := repeated(names[first:]); twice != nil {
				return fmt.Errorf("an object has the name %.50q twice", twice)
			}
			names = names[:first]
		case '"':
			length, err := stringLength(data[i:])
			if err != nil {
				return err
			}
			if named {
				names, named = append(names, plainName(data[i:i+length])), false
			}
			i += length - 1
		}
	}
	return nil
}

// repeated returns a name that is there twice. It sorts: comparing each to each, one
// object of many names would take long.
func repeated(names [][]byte) []byte {
	slices.SortFunc(names, bytes.Compare)
	for i := 1; i < len(names); i++ {
		if bytes.Equal(names[i-1], names[i]) {
			return names[i]
		}
	}
	return nil
}

// stringLength is that of the JSON string that data begins with, quotes included.
func stringLength(data []byte) (int, error) {
	for i := 1; ; i++ {
		switch data[i] {
		case '"':
			return i + 1, nil
		case '\\':
			switch first := escapedUnit(data[i:]); {
			case first >= 0xdc00 && first <= 0xdfff:
				return 0, errHalfPair
			case first >= 0xd800 && first <= 0xdbff:
				if second := escapedUnit(data[i+6:]); second < 0xdc00 || second > 0xdfff {
					return 0, errHalfPair
				}
				i += 11
			default:
				i++
			}
		}
	}
}

// escapedUnit is the UTF-16 unit of a \u escape that data begins with, or 0.
func escapedUnit(data []byte) uint64 {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0
	}
	unit, _ := strconv.ParseUint(string(data[2:6]), 16, 16) // the JSON is valid
	return unit
}

// plainName is a name without quotes and escapes.
func plainName(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	var name string
	_ = json.Unmarshal(quoted, &name) // it is valid
	return []byte(name)
}
