package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"strconv"
	"strings"
)

// checkSource returns a line for every rule on source text that the file breaks. file is
// its path below the module, with forward slashes.
func checkSource(table []room, file string, src []byte) ([]string, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, file, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", file, err)
	}
	if ast.IsGenerated(f) {
		return nil, nil
	}
	var found []string
	if n := bytes.Count(src, []byte("\n")); n > maxLines {
		found = append(found, fmt.Sprintf("%s: %d lines, %d at most: a file this long holds more than one thing", file, n, maxLines))
	}
	if strings.HasSuffix(file, "_test.go") {
		return found, nil
	}
	r, _, _ := roomOf(table, path.Dir(file))
	name, ok := importedAs(f, "time")
	if !ok {
		return found, nil
	}
	if name == "." {
		return append(found, file+": time is imported with a dot, so that its clocks cannot be told apart: import it by name"), nil
	}
	ast.Inspect(f, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := selector.X.(*ast.Ident)
		if !ok || x.Name != name {
			return true
		}
		what, line := selector.Sel.Name, fset.Position(selector.Pos()).Line
		switch {
		case r.pure && impureTime[what]:
			found = append(found, fmt.Sprintf("%s:%d: time.%s: the domain reads no clock and no zone of the machine: time comes with the command", file, line, what))
		case what == "Sleep" && !r.tooling:
			found = append(found, fmt.Sprintf("%s:%d: time.Sleep: wait for what is to happen, not for an amount of time", file, line))
		}
		return true
	})
	return found, nil
}

// importedAs returns the name under which a file imports a package, which the package's
// last element is the name of.
func importedAs(f *ast.File, importPath string) (string, bool) {
	for _, spec := range f.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err != nil || p != importPath {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name, true
		}
		return path.Base(importPath), true
	}
	return "", false
}
