package main

import (
	"os"
	"syscall"
)

// datasync makes what was written durable, as Pebble does it.
func datasync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
