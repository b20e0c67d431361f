//go:build unix && !linux

package enginetest

import "syscall"

// endWithParent leaves the server's end to the janitor: only Linux has a signal for it.
func endWithParent(*syscall.SysProcAttr) {}
