//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package web

import (
	"os"
	"syscall"
)

// lock keeps another process from using a file, as long as it is open.
func lock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
