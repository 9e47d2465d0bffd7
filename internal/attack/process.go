package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
)

// The roles that this program plays in other processes.
const (
	roleServer = "server"
	roleHonest = "honest"
)

// pipe is a process's end of a conversation in JSON.
type pipe struct {
	in  *json.Decoder
	out *json.Encoder
}

func newPipe(in io.Reader, out io.Writer) pipe {
	return pipe{json.NewDecoder(in), json.NewEncoder(out)}
}

func (p pipe) tell(message any) error { return p.out.Encode(message) }
func (p pipe) hear(message any) error { return p.in.Decode(message) }

// ask says question and waits for the answer.
func (p pipe) ask(question, answer any) error {
	if err := p.tell(question); err != nil {
		return err
	}
	return p.hear(answer)
}

// process is a child process that plays a role. It ends when its input does.
type process struct {
	pipe
	cmd   *exec.Cmd
	input io.Closer
}

func start(ctx context.Context, role string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, role) //nolint:gosec // it runs this program
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{newPipe(out, in), cmd, in}, nil
}

// stop ends the process and waits for it.
func (p *process) stop() {
	_ = p.input.Close()
	_ = p.cmd.Wait()
}

var highWater = regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`)

// peakMemory returns the most memory in bytes that a process has had resident so
// far. Source: proc_pid_status(5).
func peakMemory(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("memory of the server: %w", err)
	}
	match := highWater.FindSubmatch(status)
	if match == nil {
		return 0, errors.New("memory of the server: it has ended")
	}
	kib, err := strconv.ParseInt(string(match[1]), 10, 64)
	return kib << 10, err
}
