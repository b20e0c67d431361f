package enginetest

import "syscall"

// endWithParent has the kernel kill the server when the thread that started it ends. The
// janitor would do so too, but could be killed itself.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
