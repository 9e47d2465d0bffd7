package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/simulator"
)

// target is the server under one attack.
type target struct {
	addr string
	// forgers are ESPs whose keys and secret the server does not know.
	forgers []sender

	mu      sync.Mutex
	counted map[string]int
}

func newTarget(addr string, forgers []sender) *target {
	return &target{addr: addr, forgers: forgers, counted: map[string]int{}}
}

const connected = "connections"

// count counts something that the attack did.
func (t *target) count(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counted[what]++
}

func (t *target) done() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.counted)
}

// aim is an endpoint that has a signature and no shared secret, so that it reads
// a body before it knows the client.
type aim struct {
	esp    string
	url    string
	header http.Header // of a forged sample
	most   int         // bytes of the largest body
}

// form reports whether the endpoint verifies a form.
func (a aim) form() bool { return strings.Contains(a.header.Get("Content-Type"), "form") }

// message returns a request with that body, and with the header of the sample and
// the given one.
func (a aim) message(body net.Buffers, header http.Header) message {
	h := a.header.Clone()
	maps.Copy(h, header)
	return newMessage(a.url, h, body)
}

func (t *target) aims() ([]aim, error) {
	var aims []aim
	for _, s := range t.forgers {
		adapter, err := s.sim.NewAdapter(s.credential)
		if err != nil {
			return nil, err
		}
		for _, ep := range adapter.Endpoints() {
			i := slices.IndexFunc(s.samples, func(sample simulator.Sample) bool { return sample.Endpoint == ep.Path })
			if i < 0 || !s.sim.Signs(ep.Path) {
				continue
			}
			r, err := s.request(t.addr, i)
			if err != nil {
				return nil, err
			}
			aims = append(aims, aim{s.sim.ESP, r.URL, r.Header, cmp.Or(int(ep.MaxBody), anymail.DefaultMaxBody)})
		}
	}
	return aims, nil
}

// floodAims floods the endpoints for which there is a message.
func (t *target) floodAims(compose func(aim) (message, bool)) (conversation, error) {
	aims, err := t.aims()
	if err != nil {
		return nil, err
	}
	var messages []message
	for _, a := range aims {
		if m, ok := compose(a); ok {
			messages = append(messages, m)
		}
	}
	return t.flood(cycle(messages)), nil
}

// forged returns the samples of some endpoints, signed with a wrong key or with a
// wrong secret.
func (t *target) forged(of func(s sender, endpoint string) bool) ([]message, error) {
	var messages []message
	for _, s := range t.forgers {
		for i, sample := range s.samples {
			if !of(s, sample.Endpoint) {
				continue
			}
			r, err := s.request(t.addr, i)
			if err != nil {
				return nil, err
			}
			messages = append(messages, newMessage(r.URL, r.Header, net.Buffers{r.Body}))
		}
	}
	return messages, nil
}

// message is a request as it is sent: its head, and its body in one or more
// pieces. Messages share large pieces.
type message net.Buffers

func newMessage(url string, header http.Header, body net.Buffers) message {
	length := 0
	for _, piece := range body {
		length += len(piece)
	}
	return append(message{newHead(url, header, length)}, body...)
}

// newHead returns a request up to its body.
func newHead(url string, header http.Header, length int) []byte {
	host, path, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST /%s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", path, host, length)
	_ = header.Write(&b) // a bytes.Buffer never fails
	b.WriteString("\r\n")
	return b.Bytes()
}

// conversation is what an attacker does with the i-th connection. When it returns,
// the connection is closed and another one opened.
type conversation func(ctx context.Context, conn net.Conn, i int)

// flood sends messages as fast as the server answers them.
func (t *target) flood(next func(n int) message) conversation {
	var n atomic.Int64
	return func(ctx context.Context, conn net.Conn, _ int) {
		answers := bufio.NewReader(conn)
		for ctx.Err() == nil {
			m := next(int(n.Add(1)))
			_ = conn.SetDeadline(time.Now().Add(answerTime))
			pieces := slices.Clone(net.Buffers(m))
			_, err := pieces.WriteTo(conn)
			// The server may have answered before it had the whole body.
			if last, readErr := t.readAnswer(answers, http.MethodPost); last || err != nil || readErr != nil {
				return
			}
		}
	}
}

// cycle returns the messages one after the other, over and over.
func cycle(messages []message) func(n int) message {
	return func(n int) message { return messages[n%len(messages)] }
}

// readAnswer counts the answer to a request, and reports whether it is the last
// of its connection.
func (t *target) readAnswer(r *bufio.Reader, method string) (last bool, err error) {
	resp, err := http.ReadResponse(r, &http.Request{Method: method})
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	if err != nil {
		t.count("without an answer")
		return true, err
	}
	t.count(strconv.Itoa(resp.StatusCode))
	return resp.Close, nil
}

// trickle sends a beginning, and then a byte a second until the server ends the
// connection.
func (t *target) trickle(beginnings [][]byte) conversation {
	return func(ctx context.Context, conn net.Conn, i int) {
		_, err := conn.Write(beginnings[i%len(beginnings)])
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = t.readAnswer(bufio.NewReader(conn), http.MethodPost)
		}()
		for second := time.NewTicker(time.Second); err == nil; _, err = conn.Write([]byte{'a'}) {
			select {
			case <-second.C:
			case <-ended:
				return
			case <-ctx.Done():
				return
			}
		}
	}
}

// attack keeps a number of connections busy until ctx is done.
func (t *target) attack(ctx context.Context, connections int, spread bool, talk conversation) {
	var all sync.WaitGroup
	opening := make(chan struct{}, 256) // as many as may be opened at once
	for i := range connections {
		all.Go(func() {
			dialer := net.Dialer{}
			if spread {
				dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(fmt.Sprintf("127.1.%d.%d", i/256, i%256))}
			}
			for ctx.Err() == nil {
				opening <- struct{}{}
				conn, err := dialer.DialContext(ctx, "tcp", t.addr)
				<-opening
				if err != nil {
					if !errors.Is(err, context.Canceled) {
						t.count("without a connection")
					}
					time.Sleep(100 * time.Millisecond)
					continue
				}
				t.count(connected)
				stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
				talk(ctx, conn, i)
				stop()
				_ = conn.Close()
			}
		})
	}
	all.Wait()
}
