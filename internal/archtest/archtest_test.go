package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const module = "daybook"

// TestTheHouse is the architecture test.
func TestTheHouse(t *testing.T) {
	dir := moduleDir(t)
	seen := 0
	for _, p := range packages(t, dir) {
		seen++
		for _, line := range append(checkImports(rooms, module, p), checkPackage(p)...) {
			t.Error(line)
		}
	}
	files := 0
	for file, src := range sources(t, dir) {
		files++
		found, err := checkSource(rooms, file, src)
		if err != nil {
			t.Error(err)
		}
		for _, line := range found {
			t.Error(line)
		}
	}
	// A test that looked at nothing would pass.
	if seen < 5 || files < seen {
		t.Errorf("looked at %d packages and %d files: that is not the whole house", seen, files)
	}
}

func moduleDir(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatalf("go list -m: %v", err)
	}
	return strings.TrimSpace(string(out))
}

func packages(t *testing.T, dir string) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Name,Doc,GoFiles,Imports", "./...")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath, Name, Doc string
			GoFiles, Imports      []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		path := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if path == "" {
			path = "."
		}
		all = append(all, pkg{path: path, name: p.Name, doc: p.Doc, ships: len(p.GoFiles) > 0, imports: p.Imports})
	}
}

// sources reads every Go file of the module. Reading them here, rather than through the
// go command alone, is also what makes a cached test result stale when one changes.
func sources(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != dir && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "data") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		below, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		all[filepath.ToSlash(below)], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestImportsThatTheTableRefuses shows that the checker can go red, and what it says.
func TestImportsThatTheTableRefuses(t *testing.T) {
	table := []room{
		{path: "domain/b", pure: true, may: []string{"domain", "domain/c"}, why: "B's reason"},
		{path: "domain/*", pure: true, may: []string{"domain"}, why: "an aggregate's reason"},
		{path: "read", may: []string{"views/..."}, modules: []string{"github.com/x/web"}, why: "reading's reason"},
		{path: "views/*", may: []string{"views"}, why: "a view's reason"},
		{path: "views", why: "the runner's reason"},
		{path: "suite", anything: true, tooling: true, why: "a suite's reason"},
		{path: "small/*", oneLibrary: true, why: "a small thing's reason"},
		{path: "main", anything: true, why: "the wiring's reason"},
	}
	for _, c := range []struct {
		from    string
		imports []string
		want    []string
	}{
		{"domain/a", []string{"fmt", "time", "m/domain", "m/domain/a/below"}, nil},
		{"domain/a", []string{"m/domain/b"}, []string{"domain/a imports domain/b: an aggregate's reason (may import: domain)"}},
		{"domain/b", []string{"m/domain/c", "m/domain/a"}, []string{"domain/b imports domain/a: B's reason (may import: domain, domain/c)"}},
		{"domain/a/below", []string{"m/domain/c"}, []string{"domain/a/below imports domain/c: an aggregate's reason (may import: domain)"}},
		{"domain/a", []string{"os", "net/http", "encoding/json", "encoding/hex", "log/slog"}, []string{
			"domain/a imports os: the domain has no input, output, clock, chance, JSON or log: what it needs comes with the command",
			"domain/a imports net/http: the domain has no input, output, clock, chance, JSON or log: what it needs comes with the command",
			"domain/a imports encoding/json: the domain has no input, output, clock, chance, JSON or log: what it needs comes with the command",
			"domain/a imports log/slog: the domain has no input, output, clock, chance, JSON or log: what it needs comes with the command",
		}},
		{"domain/a", []string{"github.com/x/web"}, []string{"domain/a imports github.com/x/web: an aggregate's reason (third-party: none)"}},
		{"read", []string{"m/views", "m/views/a", "github.com/x/web/sub", "os"}, nil},
		{"read", []string{"m/write", "github.com/x/webby"}, []string{
			"read imports write: reading's reason (may import: views/...)",
			"read imports github.com/x/webby: reading's reason (third-party: github.com/x/web)",
		}},
		{"views/a", []string{"m/views/b"}, []string{"views/a imports views/b: a view's reason (may import: views)"}},
		{"views", []string{"m/views/a"}, []string{"views imports views/a: the runner's reason (may import: none)"}},
		{"read", []string{"testing"}, []string{"read imports testing: what ships does not carry the test framework"}},
		{"main", []string{"m/read", "m/views/a", "github.com/x/any", "m/suite"}, []string{
			"main imports suite: that is for tests and measurements, and never ships",
		}},
		{"suite", []string{"m/read", "testing", "github.com/x/any"}, nil},
		{"small/a", []string{"github.com/x/y", "github.com/x/y/v2/z", "os"}, nil},
		{"small/a", []string{"github.com/x/y", "modernc.org/z/a"}, []string{
			"small/a uses github.com/x/y and modernc.org/z: one library at most: a small thing's reason",
		}},
		{"small/a", []string{gin, huma + "/adapters/humagin"}, nil},
		{"elsewhere", nil, []string{
			"elsewhere: no room in the table of internal/archtest has this folder: give it a row, or move it to the room it belongs to",
		}},
	} {
		got := checkImports(table, "m", pkg{path: c.from, imports: c.imports})
		if len(got) != len(c.want) || len(got) > 0 && !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s imports %v:\ngot  %q\nwant %q", c.from, c.imports, got, c.want)
		}
	}
}

// TestTheTableRefuses tries the real table on imports that would break the design.
func TestTheTableRefuses(t *testing.T) {
	for _, c := range []struct {
		from, imports string
		allowed       bool
	}{
		{"domain/restaurant", "daybook/domain/restaurantday", true},
		{"domain/restaurantday", "daybook/domain/restaurant", false},
		{"domain", "daybook/domain/user", false},
		{"domain/user", "encoding/json", false},
		{"commands", "daybook/eventstore/codec", true},
		{"commands", "daybook/eventstore/embedded", false},
		{"commands", "daybook/projections/availability", false},
		{"commands", gin, false},
		{"processes", "daybook/commands", true},
		{"processes", "daybook/projections/reporting", false},
		{"eventstore", "daybook/domain", false},
		{"eventstore", "daybook/eventstore/codec", false},
		{"eventstore/embedded", "github.com/cockroachdb/pebble/v2/vfs", true},
		{"eventstore/embedded", "daybook/eventstore/codec", false},
		{"eventstore/esdbserver", "daybook/eventstore/embedded", false},
		{"eventstore/embedded", "daybook/eventstore/storetest", false},
		{"projections/availability", "github.com/redis/go-redis/v9", true},
		{"projections/availability", "github.com/jackc/pgx/v5", false},
		{"projections/availability", "daybook/projections/reporting", false},
		{"projections/discovery/bleveindex", "daybook/eventstore", false},
		{"readapi", "daybook/projections/availability", true},
		{"readapi", "daybook/writeapi", false},
		{"readapi", "daybook/commands", false},
		{"writeapi", "daybook/readapi", false},
		{"writeapi", "daybook/projections/availability", false},
		{"web", "daybook/commands", false},
		{"internal/tokens", "daybook/domain", false},
		{"internal/problem", "daybook/domain", true},
		{"internal/problem", "daybook/domain/user", false},
		{"internal/httpapi", "daybook/commands", false},
		{"cmd/daybook", "daybook/readapi", true},
		{"cmd/daybook", "daybook/internal/enginetest", false},
		{"internal/bench", "daybook/internal/enginetest", true},
	} {
		found := checkImports(rooms, module, pkg{path: c.from, imports: []string{c.imports}})
		if allowed := len(found) == 0; allowed != c.allowed {
			t.Errorf("%s imports %s: allowed %t, want %t", c.from, c.imports, allowed, c.allowed)
		}
	}
}

func TestEveryRowHasItsReason(t *testing.T) {
	for _, r := range rooms {
		if r.why == "" {
			t.Errorf("%s: no reason", r.path)
		}
	}
}

func TestNamesAndComments(t *testing.T) {
	for _, c := range []struct {
		p    pkg
		want []string
	}{
		{pkg{path: "a/tokens", name: "tokens", doc: "Package tokens ...", ships: true}, nil},
		{pkg{path: "a/tests", name: "tests"}, nil},
		{pkg{path: "a/tokens", name: "tokens", ships: true}, []string{
			"a/tokens: no package comment: say what belongs here, what does not, and which room to try instead",
		}},
		{pkg{path: "a/util", name: "strs", doc: "x", ships: true}, []string{
			"a/util: a name that says nothing collects everything: name the package after what it holds",
		}},
		{pkg{path: "a/strs", name: "helpers", doc: "x", ships: true}, []string{
			"a/strs: a name that says nothing collects everything: name the package after what it holds",
		}},
	} {
		if got := checkPackage(c.p); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%+v:\ngot  %q\nwant %q", c.p, got, c.want)
		}
	}
}

func TestSource(t *testing.T) {
	const clock = "the domain reads no clock and no zone of the machine: time comes with the command"
	table := []room{
		{path: "domain", pure: true, why: "x"},
		{path: "suite", tooling: true, anything: true, why: "x"},
		{path: "other", why: "x"},
	}
	long := "package x\n" + strings.Repeat("\n", maxLines)
	for _, c := range []struct {
		file, src string
		want      []string
	}{
		{"domain/a.go", "package x\nimport \"time\"\nvar d = 5 * time.Minute\nvar u = time.Unix(0, 0).UTC()\n", nil},
		{"domain/a.go", "package x\nimport \"time\"\nvar n = time.Now()\nvar f = time.LoadLocation\n", []string{
			"domain/a.go:3: time.Now: " + clock, "domain/a.go:4: time.LoadLocation: " + clock,
		}},
		{"domain/a.go", "package x\nimport clock \"time\"\nvar n = clock.Since\n", []string{"domain/a.go:3: time.Since: " + clock}},
		{"domain/a.go", "package x\nimport . \"time\"\nvar n = Now()\n", []string{
			"domain/a.go: time is imported with a dot, so that its clocks cannot be told apart: import it by name",
		}},
		{"domain/a_test.go", "package x\nimport \"time\"\nvar n = time.Now()\n", nil},
		{"other/a.go", "package x\nimport \"time\"\nvar n = time.Now()\nfunc f() { time.Sleep(1) }\n", []string{
			"other/a.go:4: time.Sleep: wait for what is to happen, not for an amount of time",
		}},
		{"suite/a.go", "package x\nimport \"time\"\nfunc f() { time.Sleep(1) }\n", nil},
		{"other/a.go", long, []string{"other/a.go: 451 lines, 450 at most: a file this long holds more than one thing"}},
		{"other/a_test.go", long, []string{"other/a_test.go: 451 lines, 450 at most: a file this long holds more than one thing"}},
		{"other/a.go", "// Code generated by x. DO NOT EDIT.\n\n" + long, nil},
	} {
		got, err := checkSource(table, c.file, []byte(c.src))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s\n%.80s\ngot  %q, %v\nwant %q", c.file, c.src, got, err, c.want)
		}
	}
	if _, err := checkSource(table, "other/a.go", []byte("package")); err == nil {
		t.Error("a file that does not parse passed")
	}
}
