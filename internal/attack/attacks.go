package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/goanymail/anymail/esp/amazonses"
	"github.com/goanymail/anymail/esp/postmark"
	"github.com/goanymail/anymail/esp/unisendergo"
)

// attack is one way to keep a server from answering honest requests. Unless it
// says otherwise, the attacker has one address and each ESP another one.
type attack struct {
	name string
	// connections are open at a time; short is how many with -short.
	connections, short int
	shared             bool // the ESPs post from the attacker's address, as behind an unknown proxy
	spread             bool // each connection of the attacker has an address of its own
	// prepare returns what the attacker does with each connection. It is nil for
	// no attack.
	prepare func(*target) (conversation, error)
}

var attacks = []attack{
	{name: "quiet"},
	{name: "slow-bodies", connections: 1024, short: 512, prepare: slowBodies},
	{name: "slow-bodies-one-address", connections: 1024, short: 512, shared: true, prepare: slowBodies},
	{name: "slow-bodies-many-addresses", connections: 1024, short: 512, spread: true, prepare: slowBodies},
	{name: "slow-headers", connections: 1024, short: 512, prepare: slowHeaders},
	{name: "idle", connections: 10_000, short: 1000, prepare: idle},
	{name: "gzip-bombs", connections: 64, short: 32, prepare: gzipBombs},
	{name: "unisender-gzip", connections: 256, short: 128, prepare: unisenderGzip},
	{name: "large-bodies", connections: 64, short: 32, prepare: largeBodies(16 << 20)},
	{name: "largest-bodies", connections: 64, short: 32, prepare: largeBodies(1 << 30)},
	{name: "multiparts", connections: 64, short: 32, prepare: multiparts},
	{name: "escaped-forms", connections: 64, short: 32, prepare: escapedForms},
	{name: "header-lines", connections: 64, short: 32, prepare: headerLines},
	{name: "header-bytes", connections: 64, short: 32, prepare: headerBytes},
	{name: "junk-signatures", connections: 64, short: 32, prepare: junkSignatures},
	{name: "junk-secrets", connections: 64, short: 32, prepare: junkSecrets},
	{name: "sns-forged", connections: 256, short: 128, prepare: forgedSNS},
}

func attackNames() []string {
	var names []string
	for _, a := range attacks {
		names = append(names, a.name)
	}
	return names
}

// begin begins the attack. The function that it returns ends it.
func (a attack) begin(ctx context.Context, t *target, short bool) (end func(), err error) {
	if a.prepare == nil {
		return func() {}, nil
	}
	talk, err := a.prepare(t)
	if err != nil {
		return nil, err
	}
	connections := a.connections
	if short {
		connections = a.short
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { t.attack(ctx, connections, a.spread, talk) })
	return func() { cancel(); running.Wait() }, nil
}

// slowBodies declares a megabyte at every endpoint that anyone can make read a
// body, and sends a byte a second.
func slowBodies(t *target) (conversation, error) {
	aims, err := t.aims()
	var heads [][]byte
	for _, a := range aims {
		heads = append(heads, newHead(a.url, a.header, 1<<20))
	}
	return t.trickle(heads), err
}

// slowHeaders sends a byte of a header a second.
func slowHeaders(t *target) (conversation, error) {
	return t.trickle([][]byte{[]byte("POST /mailgun/tracking/ HTTP/1.1\r\nHost: " + t.addr + "\r\nX-Slow: ")}), nil
}

// idle makes a cheap request on each connection, and keeps the connection.
func idle(t *target) (conversation, error) {
	return func(_ context.Context, conn net.Conn, _ int) {
		if _, err := fmt.Fprintf(conn, "HEAD /mailgun/tracking/ HTTP/1.1\r\nHost: %s\r\n\r\n", t.addr); err != nil {
			return
		}
		answers := bufio.NewReader(conn)
		if _, err := t.readAnswer(answers, http.MethodHead); err == nil {
			_, _ = answers.ReadByte() // until the server closes the connection
		}
	}, nil
}

// gzipBombs inflate to the largest body of each endpoint.
func gzipBombs(t *target) (conversation, error) {
	return t.floodAims(func(a aim) (message, bool) {
		f := newFilling(a, a.most)
		return a.message(f.zipped(), http.Header{"Content-Type": {f.contentType}, "Content-Encoding": {"gzip"}}), true
	})
}

// unisenderGzip posts compressed callbacks as Unisender Go does, without a
// Content-Encoding: the adapter inflates them.
func unisenderGzip(t *target) (conversation, error) {
	return t.floodAims(func(a aim) (message, bool) {
		f := newFilling(a, a.most)
		return a.message(f.zipped(), http.Header{"Content-Type": {f.contentType}}), a.esp == unisendergo.ESP
	})
}

// largeBodies are as large as the endpoint accepts, up to a limit.
func largeBodies(limit int) func(*target) (conversation, error) {
	return func(t *target) (conversation, error) {
		return t.floodAims(func(a aim) (message, bool) {
			f := newFilling(a, min(a.most, limit))
			return a.message(f.plain(), http.Header{"Content-Type": {f.contentType}}), true
		})
	}
}

// multiparts have the largest number of parts, and 16 KiB in each.
func multiparts(t *target) (conversation, error) {
	var b bytes.Buffer
	for i := range 1000 {
		fmt.Fprintf(&b, "--x\r\nContent-Disposition: form-data; name=\"field%d\"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n", i, strings.Repeat("a", 16<<10))
	}
	b.WriteString("--x--\r\n")
	return t.floodAims(func(a aim) (message, bool) {
		return a.message(net.Buffers{b.Bytes()}, http.Header{"Content-Type": {"multipart/form-data; boundary=x"}}), a.form()
	})
}

// escapedForms have the largest number of fields, every byte of which is escaped.
func escapedForms(t *target) (conversation, error) {
	fields := make([]string, 1000)
	for i := range fields {
		fields[i] = fmt.Sprintf("field%d=%s", i, strings.Repeat("%61", 16<<10/3))
	}
	body := []byte(strings.Join(fields, "&"))
	return t.floodAims(func(a aim) (message, bool) {
		return a.message(net.Buffers{body}, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}), a.form()
	})
}

// headerLines fit into the limit of package server.
func headerLines(t *target) (conversation, error) {
	header := http.Header{}
	for i := range 4000 {
		header[fmt.Sprintf("X%d", i)] = []string{"a"}
	}
	return t.floodAims(func(a aim) (message, bool) { return a.message(nil, header), true })
}

// headerBytes is one line of 60 KiB, which the guard decodes.
func headerBytes(t *target) (conversation, error) {
	secret := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("a"), 45<<10))
	url := "http://" + t.addr + "/" + postmark.ESP + "/tracking/"
	return t.flood(cycle([]message{newMessage(url, http.Header{"Authorization": {"Basic " + secret}}, nil)})), nil
}

// junkSignatures posts samples of the ESPs that sign, signed with a wrong key.
// Amazon SES has an attack of its own.
func junkSignatures(t *target) (conversation, error) {
	messages, err := t.forged(func(s sender, endpoint string) bool { return s.sim.Signs(endpoint) && s.sim.ESP != amazonses.ESP })
	return t.flood(cycle(messages)), err
}

// junkSecrets posts samples of the other ESPs, with a wrong shared secret.
func junkSecrets(t *target) (conversation, error) {
	messages, err := t.forged(func(s sender, endpoint string) bool { return !s.sim.Signs(endpoint) })
	return t.flood(cycle(messages)), err
}

// forgedSNS refers to another certificate in each message, so that the adapter
// has to fetch it.
func forgedSNS(t *target) (conversation, error) {
	forged, err := t.forged(func(s sender, _ string) bool { return s.sim.ESP == amazonses.ESP })
	name := regexp.MustCompile(`SimpleNotificationService-[0-9a-f]{32}`)
	return t.flood(func(n int) message {
		m := slices.Clone(forged[n%len(forged)])
		last := len(m) - 1
		m[last] = name.ReplaceAll(m[last], fmt.Appendf(nil, "SimpleNotificationService-%032x", n))
		return m
	}), err
}

// filling is a body of a certain size that means nothing.
type filling struct {
	contentType string
	begin, end  string
	size        int // of what is between them
}

// newFilling returns a body that an endpoint has to read to its end.
func newFilling(a aim, size int) filling {
	f := filling{"application/json", `{"filling":"`, `","auth":"0123456789abcdef0123456789abcdef"}`, 0}
	if a.form() {
		f = filling{"application/x-www-form-urlencoded", "filling=", "", 0}
	}
	f.size = size - len(f.begin) - len(f.end)
	return f
}

var (
	mebibyte       = bytes.Repeat([]byte("a"), mib)
	zippedMebibyte = zip(mebibyte)
)

func (f filling) plain() net.Buffers {
	body := net.Buffers{[]byte(f.begin)}
	for range f.size / mib {
		body = append(body, mebibyte)
	}
	return append(body, mebibyte[:f.size%mib], []byte(f.end))
}

// zipped returns a gzip file of several members.
func (f filling) zipped() net.Buffers {
	body := net.Buffers{zip([]byte(f.begin))}
	for range f.size / mib {
		body = append(body, zippedMebibyte)
	}
	return append(body, zip(mebibyte[:f.size%mib]), zip([]byte(f.end)))
}

func zip(content []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(content) // a bytes.Buffer never fails
	_ = w.Close()
	return b.Bytes()
}
