package archtest

import (
	"fmt"
	"slices"
	"strings"
)

// pkg is what the rules look at of a package.
type pkg struct {
	path    string   // below the module; "." for the module's own folder
	name    string   // as in its package clause
	doc     string   // the beginning of its comment
	ships   bool     // it has files that are not tests
	imports []string // of the files that are not tests
}

// match says whether path lies in the room's folder, and which folder that is for path.
func (r room) match(path string) (instance string, ok bool) {
	want, got := strings.Split(r.path, "/"), strings.Split(path, "/")
	if len(got) < len(want) {
		return "", false
	}
	for i, element := range want {
		if element != "*" && element != got[i] {
			return "", false
		}
	}
	return strings.Join(got[:len(want)], "/"), true
}

// roomOf returns the row for a package and the folder of the row's that holds it.
func roomOf(table []room, path string) (r room, instance string, ok bool) {
	for _, r := range table {
		if instance, ok := r.match(path); ok {
			return r, instance, true
		}
	}
	return room{}, "", false
}

// within says whether path is root or below it.
func within(path, root string) bool {
	return path == root || strings.HasPrefix(path, root+"/")
}

func (r room) mayImport(path string) bool {
	return slices.ContainsFunc(r.may, func(m string) bool {
		if root, ok := strings.CutSuffix(m, "/..."); ok {
			return within(path, root)
		}
		return path == m
	})
}

// library names the third-party library behind an import path: a family's name, else the
// path's first elements that make a module on the hosts we use.
func library(path string) string {
	for module, family := range families {
		if within(path, module) {
			return family
		}
	}
	elements := strings.Split(path, "/")
	n := 2
	if elements[0] == "github.com" {
		n = 3
	}
	return strings.Join(elements[:min(n, len(elements))], "/")
}

// checkImports returns a line for every import of p that the table does not allow.
func checkImports(table []room, module string, p pkg) []string {
	r, instance, ok := roomOf(table, p.path)
	if !ok {
		return []string{fmt.Sprintf("%s: no room in the table of internal/archtest has this folder: give it a row, or move it to the room it belongs to", p.path)}
	}
	var found []string
	refuse := func(path, reason string) {
		found = append(found, fmt.Sprintf("%s imports %s: %s", p.path, path, reason))
	}
	var libraries []string
	for _, path := range p.imports {
		own, ours := strings.CutPrefix(path, module+"/")
		first, _, _ := strings.Cut(path, "/")
		switch {
		case ours:
			other, otherInstance, known := roomOf(table, own)
			switch {
			case known && otherInstance == instance:
			case known && other.tooling && !r.tooling:
				refuse(own, "that is for tests and measurements, and never ships")
			case !r.anything && !r.mayImport(own):
				refuse(own, fmt.Sprintf("%s (may import: %s)", r.why, list(r.may)))
			}
		case strings.Contains(first, "."):
			allowed := slices.ContainsFunc(r.modules, func(m string) bool { return within(path, m) })
			switch {
			case r.anything || allowed:
			case r.oneLibrary:
				if lib := library(path); !slices.Contains(libraries, lib) {
					libraries = append(libraries, lib)
				}
			default:
				refuse(path, fmt.Sprintf("%s (third-party: %s)", r.why, list(r.modules)))
			}
		case path == "testing" && !r.tooling:
			refuse(path, "what ships does not carry the test framework")
		case r.pure && slices.ContainsFunc(impure, func(s string) bool { return within(path, s) }):
			refuse(path, "the domain has no input, output, clock, chance, JSON or log: what it needs comes with the command")
		}
	}
	if len(libraries) > 1 {
		slices.Sort(libraries)
		found = append(found, fmt.Sprintf("%s uses %s: one library at most: %s", p.path, strings.Join(libraries, " and "), r.why))
	}
	return found
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// checkPackage returns a line for every rule on names and comments that p breaks.
func checkPackage(p pkg) []string {
	var found []string
	last := p.path[strings.LastIndex(p.path, "/")+1:]
	if vague[p.name] || vague[last] {
		found = append(found, fmt.Sprintf("%s: a name that says nothing collects everything: name the package after what it holds", p.path))
	}
	if p.ships && p.doc == "" {
		found = append(found, fmt.Sprintf("%s: no package comment: say what belongs here, what does not, and which room to try instead", p.path))
	}
	return found
}
