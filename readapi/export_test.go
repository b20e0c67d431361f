package readapi

// For tests of the package's surface, which register the write side too.
var (
	Refusals = refusals
	Examples = examples
)
