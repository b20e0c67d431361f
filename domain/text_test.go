package domain

import (
	"reflect"
	"strings"
	"testing"
)

func TestNormalizeEmail(t *testing.T) {
	for in, want := range map[string]string{
		" Ada.Lovelace+table@Example.COM\n": "ada.lovelace+table@example.com",
		"o'neill@sub.example.co.uk":         "o'neill@sub.example.co.uk",
		"a@xn--bcher-kva.example":           "a@xn--bcher-kva.example",
	} {
		if got, err := NormalizeEmail("email", in); err != nil || got != want {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
	longest := strings.Repeat("a", 64) + "@" + strings.Repeat(strings.Repeat("b", 62)+".", 3)
	if _, err := NormalizeEmail("email", longest[:254-1]+"c"); err != nil {
		t.Errorf("254 bytes: %v", err)
	}
	for _, in := range []string{
		"", " ", "ada", "@example.com", "ada@", "ada@localhost", "ada@@example.com", "a@b@example.com", "ada@.com", "ada@example.",
		"ada@-example.com", "ada@example-.com", ".ada@example.com", "ada.@example.com", "a..b@example.com", "a b@example.com",
		`"a b"@example.com`, "ada@exam_ple.com", "ada@[127.0.0.1]", "Ada <ada@example.com>", "ada@example.com\r\nBcc: x@example.com",
		"ädä@example.com", "\u212aing@example.com", "ada\x00@example.com", "ada@\xff.com",
		strings.Repeat("a", 65) + "@example.com", "a@" + strings.Repeat("b", 64) + ".com", "a@" + strings.Repeat("b.", 130) + "com",
	} {
		got, err := NormalizeEmail("email", in)
		if no, ok := Rejected(err); !ok || no.Code != CodeInvalid || no.Reasons[0].Rule != "email" {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
}

func TestNormalizePhone(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "  ": "", "+49 (30) 123-45.67": "+49301234567", "090-1234-5678": "09012345678", "+123456789012345": "+123456789012345", "555/0100": "5550100",
	} {
		if got, err := NormalizePhone("phone", in); err != nil || got != want {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"+", "-", "1234", "+123456", "+0301234567", "+1234567890123456", "1234567890123456", "++491234567", "+49x1234567", "12+34567", "١٢٣٤٥٦٧"} {
		if got, err := NormalizePhone("phone", in); err == nil {
			t.Errorf("%q was taken as %q", in, got)
		}
	}
}

func TestLines(t *testing.T) {
	for name, c := range map[string]struct {
		check    func(string, string, int) (string, error)
		in, want string
		no       *Rejection
	}{
		"trimmed":            {Line, " a b\t", "a b", nil},
		"empty":              {Line, " ", "", nil},
		"characters counted": {Line, "ééééé", "ééééé", nil},
		"too long": {Line, "éééééé", "", Reject(CodeInvalid, "the shift name is longer than 5 characters",
			Reason{Rule: "shift_name", Limit: 5, Actual: 6})},
		"two lines":         {Line, "a\nb", "", Invalid("shift_name", "the shift name has characters that are no text")},
		"two lines allowed": {Prose, "a\nb", "a\nb", nil},
		"a NUL":             {Prose, "a\x00b", "", Invalid("shift_name", "the shift name has characters that are no text")},
		"no UTF-8":          {Prose, "a\xffb", "", Invalid("shift_name", "the shift name has characters that are no text")},
		"missing":           {RequiredLine, " ", "", Invalid("shift_name", "the shift name is missing")},
		"there":             {RequiredLine, "a", "a", nil},
		"required too long": {RequiredLine, "aaaaaa", "", Reject(CodeInvalid, "the shift name is longer than 5 characters", Reason{Rule: "shift_name", Limit: 5, Actual: 6})},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.check("shift_name", c.in, 5)
			no, _ := Rejected(err)
			if got != c.want || !reflect.DeepEqual(no, c.no) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func FuzzNormalize(f *testing.F) {
	f.Add(" Ada@Example.com")
	f.Add("+49 (30) 1234567")
	f.Fuzz(func(t *testing.T, s string) {
		if email, err := NormalizeEmail("email", s); err == nil {
			if again, err := NormalizeEmail("email", email); err != nil || again != email {
				t.Errorf("%q became %q, then %q, %v", s, email, again, err)
			}
		}
		if phone, err := NormalizePhone("phone", s); err == nil {
			if again, err := NormalizePhone("phone", phone); err != nil || again != phone {
				t.Errorf("%q became %q, then %q, %v", s, phone, again, err)
			}
		}
	})
}
