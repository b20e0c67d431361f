//go:build unix && !linux

package main

import "os"

// datasync makes what was written durable; only Linux tells data from metadata.
func datasync(f *os.File) error { return f.Sync() }
