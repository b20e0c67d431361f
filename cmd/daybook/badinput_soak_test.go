package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

// TestRandomInput spoils good requests at random places, several at once. Whatever comes
// of it, it is no fault of ours, and every refusal is a whole problem. DAYBOOK_SEED repeats
// a run, DAYBOOK_SOAK makes a long one.
func TestRandomInput(t *testing.T) {
	seed, rounds := uint64(1), 15
	if os.Getenv("DAYBOOK_SOAK") != "" {
		seed, rounds = uint64(time.Now().UnixNano()), 3000
	}
	if given, err := strconv.ParseUint(os.Getenv("DAYBOOK_SEED"), 10, 64); err == nil {
		seed = given
	}
	t.Logf("seed %d", seed)
	faults := watchFaults(t)
	h := startHouse(t, houseConfig{})
	town := newTown(t, h)
	api := town.spec(t)
	random := rand.New(rand.NewPCG(seed, 0))
	answers := map[string]int{}
	for range rounds {
		for _, op := range api.operations {
			if op.OperationID == "log-in" && random.IntN(20) > 0 {
				continue // each takes as long as a password's hash
			}
			r := town.good[op.OperationID].request(op)
			var header string
			for range 1 + random.IntN(3) {
				switch random.IntN(5) {
				case 0:
					r.path = "/api/v1/" + address(spoiled(random, r.path[len("/api/v1/"):]))
				case 1:
					r.query = address(spoiled(random, r.query))
				case 2:
					header = printable(spoiled(random, []string{"0", "key", "18446744073709551615", "-1"}[random.IntN(4)]))
					r.header = map[string]string{[]string{"Idempotency-Key", "X-Request-Id", "Content-Type", "Accept", "Authorization"}[random.IntN(5)]: header}
				default:
					r.body = spoiled(random, r.body)
				}
			}
			got := send(t, h, r)
			answers[fmt.Sprint(got.status, " ", got.field("code"))]++
			if got.status < 300 || got.status == http.StatusNotModified {
				continue
			}
			if why := wrongProblem(got, ""); why != "" || got.status >= 500 {
				t.Errorf("seed %d: %s %s?%s %q %q: %s %s", seed, r.method, r.path, r.query, header, r.body, why, got)
			}
		}
	}
	t.Log(answers)
	for _, s := range h.runner.Status() {
		if s.Parked != 0 {
			t.Errorf("seed %d: view %s parked %d records", seed, s.Name, s.Parked)
		}
	}
	faults(t)
}

// pieces have each broken some reader of JSON, addresses, times or numbers somewhere.
var pieces = []string{
	"\x00", "\xff", "\"", "\\", "{", "}", "[", "]", ",", ":", "null", "-", "e9", "1e400", "0.0", `\ud800`, `\u0000`, "\ufeff", "\u202e", "🍕", "/", "..", "%", "%00",
	"?", "#", "&", "=", ";", " ", "\t", "\n", "9999999999999999999", "-0", "NaN", "T24:00:00Z", "24:00", "2026-02-29", "<", "'", "${}", "{{", "A", "z", "true",
}

// spoiled changes s in one place.
func spoiled(random *rand.Rand, s string) string {
	b := []byte(s)
	i := random.IntN(len(b) + 1)
	j := min(len(b), i+random.IntN(6))
	switch piece := pieces[random.IntN(len(pieces))]; random.IntN(5) {
	case 0:
		return string(slices.Delete(b, i, j))
	case 1:
		return string(slices.Replace(b, i, j, []byte(piece)...))
	case 2:
		return string(slices.Insert(b, i, bytes.Repeat(b[i:j], 1+random.IntN(40))...))
	case 3:
		if i < len(b) {
			b[i] ^= 1 << random.IntN(8)
		}
		return string(b)
	default:
		return string(slices.Insert(b, i, []byte(piece)...))
	}
}

// address escapes what a client cannot send in an address, and leaves the rest as it is.
func address(s string) string {
	var b bytes.Buffer
	for i := range len(s) {
		c := s[i]
		hex := func(at int) bool { return at < len(s) && bytes.IndexByte([]byte("0123456789abcdefABCDEF"), s[at]) >= 0 }
		if c <= ' ' || c >= 0x7f || c == '#' || c == '?' || c == '%' && !(hex(i+1) && hex(i+2)) {
			fmt.Fprintf(&b, "%%%02x", c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// printable leaves out what no header can have.
func printable(s string) string {
	return string(bytes.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, []byte(s)))
}
