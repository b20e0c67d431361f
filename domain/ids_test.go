package domain

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestReservationIDCarriesItsDay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		restaurant := NewRestaurantID([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes")))
		date := ServiceDate(rapid.Int32Range(int32(minServiceDate), int32(maxServiceDate)).Draw(t, "date"))
		number := rapid.Uint32Range(1, 1<<30-1).Draw(t, "number")

		id, err := ParseReservationID(string(NewReservationID(restaurant, date, number)))
		if err != nil {
			t.Fatal(err)
		}
		if r, d, n := id.Day(); r != restaurant || d != date || n != number {
			t.Fatalf("got %s %s %d, want %s %s %d", r, d, n, restaurant, date, number)
		}
		if _, err := ParseRestaurantID(string(restaurant)); err != nil {
			t.Fatal(err)
		}
	})
}

func TestIDsOfDifferentBytesDiffer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bytes := rapid.SliceOfN(rapid.Byte(), 16, 16)
		a, b := [16]byte(bytes.Draw(t, "a")), [16]byte(bytes.Draw(t, "b"))
		if (a == b) != (NewUserID(a) == NewUserID(b)) || (a == b) != (NewTableID(a) == NewTableID(b)) {
			t.Fatalf("%x and %x", a, b)
		}
	})
}

func TestMalformedIDs(t *testing.T) {
	good := NewReservationID(NewRestaurantID([16]byte{1}), minServiceDate, 1)
	body := strings.TrimPrefix(string(good), "rsv_")
	for name, s := range map[string]string{
		"empty":               "",
		"prefix alone":        "rsv_",
		"no prefix":           body,
		"another's prefix":    "rst_" + body,
		"short":               string(good[:len(good)-1]),
		"long":                string(good) + "0",
		"upper case":          strings.ToUpper(string(good)),
		"a letter left out":   string(good[:10]) + "u" + string(good[11:]),
		"beyond ASCII":        string(good[:10]) + "é" + string(good[12:]),
		"a NUL":               string(good[:10]) + "\x00" + string(good[11:]),
		"a path":              string(good[:10]) + "../" + string(good[13:]),
		"number 0":            string(NewReservationID(NewRestaurantID([16]byte{1}), minServiceDate, 0)),
		"date before the age": string(NewReservationID(NewRestaurantID([16]byte{1}), minServiceDate-1, 1)),
		"date after the age":  string(NewReservationID(NewRestaurantID([16]byte{1}), maxServiceDate+1, 1)),
	} {
		t.Run(name, func(t *testing.T) {
			if id, err := ParseReservationID(s); err == nil {
				t.Errorf("%q was taken as %s", s, id)
			}
		})
	}
	for name, parse := range map[string]func(string) error{
		"restaurant": func(s string) error { _, err := ParseRestaurantID(s); return err },
		"user":       func(s string) error { _, err := ParseUserID(s); return err },
		"table":      func(s string) error { _, err := ParseTableID(s); return err },
	} {
		for _, s := range []string{"", "rst_", "usr_1", "tbl_" + strings.Repeat("0", 25), "xxx_" + strings.Repeat("0", 26), string(good)} {
			if parse(s) == nil {
				t.Errorf("%q was taken as a %s", s, name)
			}
		}
	}
}

func FuzzReservationID(f *testing.F) {
	f.Add(string(NewReservationID(NewRestaurantID([16]byte{255}), 20000, 7)))
	f.Add("rsv_" + strings.Repeat("z", 36))
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseReservationID(s)
		if err != nil {
			return
		}
		restaurant, date, number := id.Day()
		if _, err := ParseRestaurantID(string(restaurant)); err != nil {
			t.Error(err)
		}
		if again := NewReservationID(restaurant, date, number); again != id || number == 0 {
			t.Errorf("%s leads to %s %s %d, which is %s", id, restaurant, date, number, again)
		}
		if _, err := ParseServiceDate(date.String()); err != nil {
			t.Error(err)
		}
	})
}
