package sheet

import "testing"

// TestCellsAreNoFormulas: no text that somebody wrote is taken for a formula.
func TestCellsAreNoFormulas(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "a cold": "a cold", "=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)",
		"\t=1": "'\t=1", "\r=1": "'\r=1", "＝1": "'＝1", "1=1": "1=1", `{"a":1}`: `{"a":1}`, "\xff": "\xff",
	} {
		if got := Cell(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
