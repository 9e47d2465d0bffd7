// Package load makes requests in advance and posts them to servers, at little cost
// for the client.
package load

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/goanymail/anymail/simulator"
)

// Make returns a request with that many events, made from the samples of these names
// by turns.
func Make(sim *simulator.Simulator, events int, samples []string) (simulator.Request, error) {
	var parts []simulator.Request
	for i := range events {
		name := samples[i%len(samples)]
		sample, ok := sim.Sample(name)
		if !ok {
			return simulator.Request{}, fmt.Errorf("%s has no sample %s", sim.ESP, name)
		}
		parts = append(parts, sample.Make(simulator.NewParams()))
	}
	if events == 1 {
		return parts[0], nil
	}
	return sim.Batch(parts)
}

// Text returns a request as it is sent.
func Text(r simulator.Request) ([]byte, error) {
	target, err := url.Parse(r.URL)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nAccept-Encoding: gzip\r\nContent-Length: %d\r\n", target.RequestURI(), target.Host, len(r.Body))
	if err := r.Header.Write(&text); err != nil {
		return nil, err
	}
	text.WriteString("\r\n")
	text.Write(r.Body)
	return text.Bytes(), nil
}

// Post sends requests over that many connections, each with one request at a time. It
// keeps connections alive as long as the server does. It returns an error if an answer
// is not 200.
func Post(address string, connections int, texts [][]byte) error {
	var next atomic.Int64
	var all errgroup.Group
	for range connections {
		all.Go(func() error {
			var c connection
			defer func() { c.close() }()
			for {
				i := int(next.Add(1)) - 1
				if i >= len(texts) {
					return nil
				}
				if err := c.post(address, texts[i]); err != nil {
					return err
				}
			}
		})
	}
	return all.Wait()
}

type connection struct {
	conn    net.Conn // nil if it is closed
	answers *bufio.Reader
}

func (c *connection) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

func (c *connection) post(address string, text []byte) (err error) {
	if c.conn == nil {
		if c.conn, err = net.Dial("tcp", address); err != nil { //nolint:noctx // on this machine
			return err
		}
		c.answers = bufio.NewReader(c.conn)
	}
	if _, err := c.conn.Write(text); err != nil {
		return err
	}
	answer, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.Close {
		c.close()
	}
	return nil
}
