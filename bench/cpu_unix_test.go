//go:build unix

package bench

import (
	"syscall"
	"testing"
	"time"
)

// reportCPU reports the processor time that the process uses from now until the
// returned function is called, including the garbage collector. On a machine with
// other work it is more exact than the time on the clock.
func reportCPU(b *testing.B) func() {
	begin := cpuTime()
	return func() { b.ReportMetric(float64(cpuTime()-begin)/float64(b.N), "cpu-ns/op") }
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
