//go:build unix && !linux

package main

import "syscall"

// endWithParent leaves a server behind if this process is killed: only Linux has a signal for it.
func endWithParent(*syscall.SysProcAttr) {}
