package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// inTree calls f with the folder in /proc of a process and of each descendant.
func inTree(pid int, f func(dir string) error) error {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	if err := f(dir); err != nil {
		return err
	}
	return inTasks(dir, "children", func(text string) error {
		for _, child := range strings.Fields(text) {
			pid, err := strconv.Atoi(child)
			if err != nil {
				return err
			}
			if err := inTree(pid, f); err != nil {
				return err
			}
		}
		return nil
	})
}

// inTasks calls f with a file of each thread.
func inTasks(dir, file string, f func(text string) error) error {
	names, err := filepath.Glob(filepath.Join(dir, "task", "*", file))
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := os.ReadFile(name) //nolint:gosec // of /proc
		if err != nil {
			return err
		}
		if err := f(string(text)); err != nil {
			return err
		}
	}
	return nil
}

// cpuTime returns the user and system time of all threads: schedstat has nanoseconds,
// where stat has ticks of 10 ms. Neither server ends threads while it is measured.
func (p *process) cpuTime() (sum time.Duration, err error) {
	err = inTree(p.cmd.Process.Pid, func(dir string) error {
		return inTasks(dir, "schedstat", func(text string) error {
			var spent time.Duration
			_, err := fmt.Sscan(text, &spent)
			sum += spent
			return err
		})
	})
	return sum, err
}

// memory returns the resident memory in MB. Each process has its share of a page that
// several have, because gunicorn's workers share most of what they have loaded.
func (p *process) memory() (megabytes float64, err error) {
	err = inTree(p.cmd.Process.Pid, func(dir string) error {
		text, err := os.ReadFile(filepath.Join(dir, "smaps_rollup")) //nolint:gosec // of /proc
		if err != nil {
			return err
		}
		_, rest, _ := strings.Cut(string(text), "\nPss:")
		var kilobytes float64
		_, err = fmt.Sscan(rest, &kilobytes)
		megabytes += kilobytes / 1024
		return err
	})
	return megabytes, err
}
