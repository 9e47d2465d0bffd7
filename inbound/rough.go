// Package inbound makes an [anymail.InboundMessage] from raw MIME or from the
// fields that an ESP parsed.
package inbound

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	uni "golang.org/x/text/encoding/unicode"
)

type limits struct{ HeaderBytes, Headers, PartHeaderBytes, Parts, Depth, Addrs, Params, Defects, TextBytes int }

var defaults = limits{HeaderBytes: 1 << 20, Headers: 5000, PartHeaderBytes: 64 << 10, Parts: 1000, Depth: 20, Addrs: 5000, Params: 100, Defects: 100, TextBytes: 32 << 20}

// detectCharset, if set, names the charset of undeclared non-UTF-8 bytes ("" = don't know).
var detectCharset func([]byte) string

type Addr struct{ Name, Email string }
type Field struct{ Name, Value string } // Value unfolded, encoded words kept
type Part struct {
	Filename, ContentType, Disposition, ContentID string
	Content                                       []byte
}
type message struct {
	Headers    []Field
	Text, HTML string
	hasT, hasH bool
	Parts      []Part
	Defects    []string
}

func (m *message) Get(name string) string {
	for _, f := range m.Headers {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

type parser struct {
	lim   limits
	m     *message
	parts int
}

func (p *parser) defect(f string, a ...any) {
	if len(p.m.Defects) < p.lim.Defects {
		p.m.Defects = append(p.m.Defects, fmt.Sprintf(f, a...))
	}
}

func parse(raw []byte, lim limits) *message {
	p := &parser{lim: lim, m: &message{}}
	if bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') >= 0 {
		p.defect("bare CR line ends")
		raw = bytes.ReplaceAll(raw, []byte{'\r'}, []byte{'\n'})
	}
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	raw = bytes.TrimLeft(raw, "\r\n")
	h, body := p.header(raw, lim.HeaderBytes, lim.Headers)
	p.m.Headers = h
	p.part(h, body, 0, "text/plain")
	return p.m
}

func (p *parser) header(b []byte, maxBytes, maxN int) (fs []Field, body []byte) {
	pos, start, end := 0, -1, 0 // current field is b[start:end]
	used, dropped := 0, 0
	flush := func() {
		if start < 0 {
			return
		}
		f := b[start:end]
		start = -1
		if len(fs) >= maxN || used >= maxBytes {
			dropped++
			return
		}
		if len(f) > maxBytes-used {
			f = f[:maxBytes-used]
			p.defect("header cut at limit")
		}
		used += len(f)
		i := bytes.IndexByte(f, ':')
		if i < 0 {
			return
		}
		fs = append(fs, Field{string(bytes.TrimRight(f[:i], " \t")), unfold(f[i+1:])})
	}
	for pos < len(b) {
		n := bytes.IndexByte(b[pos:], '\n')
		next, le := len(b), len(b)
		if n >= 0 {
			next, le = pos+n+1, pos+n
		}
		line := bytes.TrimRight(b[pos:le], "\r")
		if len(line) == 0 {
			pos = next
			break
		}
		switch {
		case line[0] == ' ' || line[0] == '\t':
			if start >= 0 {
				end = le
			}
		case isField(line):
			flush()
			start, end = pos, le
		case pos == 0 && (bytes.HasPrefix(line, []byte("From ")) || bytes.HasPrefix(line, []byte(">From "))):
		default:
			flush()
			p.defect("no blank line between header and body")
			return fs, b[pos:]
		}
		pos = next
	}
	flush()
	if dropped > 0 {
		p.defect("%d headers beyond the limit dropped", dropped)
	}
	return fs, b[pos:]
}

func isField(l []byte) bool {
	for i, c := range l {
		if c == ':' {
			return i > 0
		}
		if c == ' ' || c == '\t' {
			r := bytes.TrimLeft(l[i:], " \t")
			return i > 0 && len(r) > 0 && r[0] == ':'
		}
		if c < 33 || c == 127 {
			return false
		}
	}
	return false
}

func unfold(b []byte) string {
	b = bytes.TrimSpace(b)
	if bytes.IndexAny(b, "\r\n\x00") >= 0 {
		c := make([]byte, 0, len(b))
		for i, x := range b {
			switch x {
			case '\n', 0:
			case '\r':
				if i+1 < len(b) && b[i+1] != '\n' && b[i+1] != '\r' { // bare CR
					c = append(c, ' ')
				}
			default:
				c = append(c, x)
			}
		}
		b = c
	}
	if !utf8.Valid(b) {
		return decodeText(b, "", false)
	}
	return string(b)
}

func get(h []Field, name string) string {
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

func (p *parser) part(h []Field, body []byte, depth int, defType string) {
	p.parts++
	ct, cp := parseParams(get(h, "Content-Type"), p.lim.Params)
	ct = strings.ToLower(ct)
	if strings.Count(ct, "/") != 1 || strings.ContainsAny(ct, " \t\"") {
		if ct != "" {
			p.defect("bad content-type")
		}
		ct = defType
	}
	disp, dp := parseParams(get(h, "Content-Disposition"), p.lim.Params)
	disp = strings.ToLower(disp)
	if strings.HasPrefix(ct, "multipart/") {
		b := cp["boundary"]
		if b == "" || !hasDelim(body, b) {
			if s := sniffBoundary(body); s != "" {
				p.defect("boundary missing or wrong, sniffed")
				b = s
			} else {
				b = ""
			}
		}
		switch {
		case b == "":
			p.defect("multipart without a boundary, taken as text")
			ct = "text/plain"
		case depth >= p.lim.Depth:
			p.defect("depth limit")
		default:
			child := "text/plain"
			if ct == "multipart/digest" {
				child = "message/rfc822"
			}
			closed := split(body, b, func(x []byte) bool {
				if p.parts >= p.lim.Parts {
					p.defect("parts limit")
					return false
				}
				ph, pb := p.header(x, p.lim.PartHeaderBytes, 200)
				p.part(ph, pb, depth+1, child)
				return true
			})
			if !closed {
				p.defect("no closing boundary")
			}
			return
		}
	}
	name := dp["filename"]
	if name == "" {
		name = cp["name"]
	}
	name = cleanName(decodeWords(name))
	var data []byte
	switch strings.ToLower(strings.TrimSpace(get(h, "Content-Transfer-Encoding"))) {
	case "base64":
		data = base64Bytes(body)
	case "quoted-printable":
		data = quotedPrintable(body)
	default:
		data = body[:len(body):len(body)]
	}
	if disp != "attachment" && name == "" || (disp == "inline" && ct == "text/plain" && !p.m.hasT && name == "") {
		switch {
		case ct == "text/plain" && !p.m.hasT:
			p.m.hasT, p.m.Text = true, decodeText(p.cut(data), cp["charset"], false)
			return
		case ct == "text/html" && !p.m.hasH:
			p.m.hasH, p.m.HTML = true, decodeText(p.cut(data), cp["charset"], true)
			return
		}
	}
	cid := strings.Trim(get(h, "Content-Id"), "<> \t")
	if disp != "inline" && disp != "attachment" {
		if disp = "attachment"; cid != "" {
			disp = "inline"
		}
	}
	p.m.Parts = append(p.m.Parts, Part{name, ct, disp, cid, data})
}

func (p *parser) cut(b []byte) []byte {
	if len(b) > p.lim.TextBytes {
		p.defect("text cut at limit")
		return b[:p.lim.TextBytes]
	}
	return b
}

// nextDelim finds the delimiter line for boundary at or after pos.
func nextDelim(b, delim []byte, pos int) (start, after int, final, ok bool) {
	for pos <= len(b) {
		i := bytes.Index(b[pos:], delim)
		if i < 0 {
			return
		}
		i += pos
		pos = i + len(delim)
		if i > 0 && b[i-1] != '\n' {
			continue
		}
		j := pos
		if bytes.HasPrefix(b[j:], []byte("--")) {
			final, j = true, j+2
		}
		for j < len(b) && (b[j] == ' ' || b[j] == '\t' || b[j] == '\r') {
			j++
		}
		if j < len(b) && b[j] != '\n' {
			final = false
			continue
		}
		if j < len(b) {
			j++
		}
		return i, j, final, true
	}
	return
}

func hasDelim(b []byte, boundary string) bool {
	_, _, _, ok := nextDelim(b, []byte("--"+boundary), 0)
	return ok
}

func split(b []byte, boundary string, fn func([]byte) bool) (closed bool) {
	delim := []byte("--" + boundary)
	_, pos, final, ok := nextDelim(b, delim, 0)
	for ok && !final {
		var s, a int
		s, a, final, ok = nextDelim(b, delim, pos)
		if !ok {
			fn(b[pos:])
			return false
		}
		x := b[pos:s]
		x = bytes.TrimSuffix(x, []byte("\n"))
		x = bytes.TrimSuffix(x, []byte("\r"))
		if !fn(x) {
			return true
		}
		pos = a
	}
	return true
}

var reDelim = regexp.MustCompile(`(?m)^--([^\s-][^\r\n]{0,69}?|-[^\r\n]{0,69}?)[ \t\r]*$`)

func sniffBoundary(b []byte) string {
	head := b
	if len(head) > 64<<10 {
		head = head[:64<<10]
	}
	for _, m := range reDelim.FindAllSubmatchIndex(head, 5) {
		// the next line must look like a header or be blank
		rest := head[m[1]:]
		rest = bytes.TrimPrefix(rest, []byte("\n"))
		if i := bytes.IndexByte(rest, '\n'); i >= 0 && (isField(rest[:i]) || len(bytes.TrimSpace(rest[:i])) == 0) {
			return string(head[m[2]:m[3]])
		}
	}
	return ""
}

var b64v = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = byte(i)
	}
	t['-'], t['_'] = 62, 63
	return
}()

// base64Bytes never fails: junk is skipped, '=' ends a group (concatenated streams go on), a cut tail gives what it can.
func base64Bytes(b []byte) []byte {
	out := make([]byte, 0, len(b)/4*3+3)
	var acc uint32
	n := 0
	for len(b) > 0 {
		if n == 0 { // fast path: a clean line through the std decoder
			l := bytes.IndexByte(b, '\n')
			if l < 0 {
				l = len(b)
			}
			line := b[:l]
			if l > 0 && line[l-1] == '\r' {
				line = line[:l-1]
			}
			if k := len(line); k > 0 && k%4 == 0 && line[k-1] != '=' {
				o := len(out)
				if d, err := base64.StdEncoding.Decode(out[o:o+k/4*3], line); err == nil {
					out = out[:o+d]
					b = b[l:]
					continue
				}
			}
		}
		l := bytes.IndexByte(b, '\n') + 1
		if l == 0 {
			l = len(b)
		}
		for _, c := range b[:l] {
			v := b64v[c]
			if v == 0xff {
				if c == '=' {
					out, acc, n = tail(out, acc, n), 0, 0
				}
				continue
			}
			acc = acc<<6 | uint32(v)
			if n++; n == 4 {
				out = append(out, byte(acc>>16), byte(acc>>8), byte(acc))
				acc, n = 0, 0
			}
		}
		b = b[l:]
	}
	out = tail(out, acc, n)
	if cap(out) > 2*len(out)+64 { // mostly junk: do not pin it
		return append([]byte(nil), out...)
	}
	return out
}
func tail(out []byte, acc uint32, n int) []byte {
	switch n {
	case 2:
		return append(out, byte(acc>>4))
	case 3:
		return append(out, byte(acc>>10), byte(acc>>2))
	}
	return out
}

func hexv(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// QP never fails: a broken escape stays as it is.
func quotedPrintable(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		l := bytes.IndexByte(b, '\n')
		line, nl := b, []byte(nil)
		if l >= 0 {
			line, nl = b[:l], b[l:l+1]
			if l > 0 && b[l-1] == '\r' {
				line, nl = b[:l-1], b[l-1:l+1]
			}
			b = b[l+1:]
		} else {
			b = nil
		}
		if nl != nil || bytes.HasSuffix(line, []byte("=")) {
			line = bytes.TrimRight(line, " \t")
		}
		if bytes.HasSuffix(line, []byte("=")) {
			line, nl = line[:len(line)-1], nil
		}
		for {
			i := bytes.IndexByte(line, '=')
			if i < 0 {
				break
			}
			out = append(out, line[:i]...)
			if i+2 < len(line) {
				if h, k := hexv(line[i+1]), hexv(line[i+2]); h >= 0 && k >= 0 {
					out = append(out, byte(h<<4|k))
					line = line[i+3:]
					continue
				}
			}
			out = append(out, '=')
			line = line[i+1:]
		}
		out = append(append(out, line...), nl...)
	}
	return out
}

func lookup(cs string) encoding.Encoding {
	cs = strings.ToLower(strings.Trim(cs, " \t\"'"))
	switch cs {
	case "hz-gb-2312":
		e, _ := ianaindex.MIME.Encoding(cs)
		return e
	case "cp932", "cp-932":
		cs = "shift_jis"
	case "cp936":
		cs = "gbk"
	case "cp949":
		cs = "euc-kr"
	case "cp950":
		cs = "big5"
	case "utf-16", "utf16":
		return uni.UTF16(uni.BigEndian, uni.UseBOM)
	}
	if e, err := htmlindex.Get(cs); err == nil {
		if n, _ := htmlindex.Name(e); n != "replacement" {
			return e
		}
	}
	if e, err := ianaindex.MIME.Encoding(cs); err == nil && e != nil { // nil,nil is possible
		return e
	}
	if t, ok := strings.CutPrefix(cs, "cp"); ok && len(t) == 4 && strings.HasPrefix(t, "125") {
		return lookup("windows-" + t)
	}
	return nil
}

var reMeta = regexp.MustCompile(`(?i)<meta[^>]{0,200}?charset\s{0,5}=\s{0,5}["']?([a-z0-9_:.-]{2,40})`)

func decodeText(b []byte, cs string, html bool) string {
	cs = strings.ToLower(strings.Trim(cs, " \t\"'"))
	switch { // a BOM wins
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		b, cs = b[3:], "utf-8"
	case bytes.HasPrefix(b, []byte("\xff\xfe")), bytes.HasPrefix(b, []byte("\xfe\xff")):
		cs = "utf-16"
	}
	if cs == "" && html {
		if m := reMeta.FindSubmatch(b[:min(len(b), 2048)]); m != nil {
			cs = string(m[1])
			if strings.HasPrefix(strings.ToLower(cs), "utf-16") {
				cs = "utf-8"
			}
		}
	}
	if cs == "utf-16" && len(b) > 3 && b[0] < 0xfe && b[1] == 0 && b[0] != 0 {
		cs = "utf-16le"
	}
	valid := utf8.Valid(b)
	var e encoding.Encoding
	switch cs {
	case "", "utf-8", "utf8", "us-ascii", "ascii", "unknown-8bit", "iso-8859-1", "latin1", "latin-1", "windows-1252", "cp1252", "8bit", "default":
		if valid && !(bytes.IndexByte(b, 0x1b) >= 0 && cs == "") {
			return string(b) // valid UTF-8 beats a declared latin1
		}
		switch cs {
		case "iso-8859-1", "latin1", "latin-1", "windows-1252", "cp1252":
			e = charmap.Windows1252
		case "utf-8", "utf8":
			if multi, bad := count(b); bad <= multi {
				return strings.ToValidUTF8(string(b), "\uFFFD")
			}
		}
	default:
		if e = lookup(cs); e == nil && valid {
			return string(b)
		}
	}
	if e == nil && detectCharset != nil {
		if n := detectCharset(b[:min(len(b), 4096)]); n != "" {
			e = lookup(n)
		}
	}
	if e == nil {
		e = charmap.Windows1252
	}
	out, err := e.NewDecoder().Bytes(b)
	if err != nil {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	return string(out)
}

func count(b []byte) (multi, bad int) {
	for i := 0; i < len(b); {
		if b[i] < 0x80 {
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			bad++
		} else {
			multi++
		}
		i += n
	}
	return
}

// decodeWords decodes RFC 2047 words; adjacent words of one charset are joined as bytes first. Linear.
func decodeWords(s string) string {
	if !strings.Contains(s, "=?") {
		return s
	}
	var sb strings.Builder
	var run, b64 []byte
	cs := ""
	endB64 := func() { run = append(run, base64Bytes(b64)...); b64 = b64[:0] }
	flush := func() {
		endB64()
		if len(run) > 0 {
			sb.WriteString(decodeText(run, cs, false))
		}
		run, cs = run[:0], ""
	}
	for s != "" {
		i := strings.Index(s, "=?")
		if i < 0 {
			break
		}
		c, enc, text, rest, ok := word(s[i:])
		if !ok {
			if strings.Index(s[i+2:], "?=") < 0 {
				break // no word can end any more
			}
			flush()
			sb.WriteString(s[:i+2])
			s = s[i+2:]
			continue
		}
		gap := s[:i]
		if cs == "" || strings.Trim(gap, " \t") != "" {
			flush()
			sb.WriteString(gap)
		} else if !strings.EqualFold(c, cs) {
			flush()
		}
		cs = c
		if enc == 'b' || enc == 'B' {
			b64 = append(b64, text...)
			if len(b64)%4 == 0 || strings.HasSuffix(text, "=") {
				endB64()
			}
		} else {
			endB64()
			run = append(run, quotedPrintable([]byte(strings.ReplaceAll(text, "_", "=20")))...)
		}
		s = rest
	}
	flush()
	sb.WriteString(s)
	return strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' || r == 0 {
			return ' '
		}
		return r
	}, sb.String())
}

func word(s string) (cs string, enc byte, text, rest string, ok bool) {
	t := s[2:]
	i := strings.IndexByte(t[:min(len(t), 60)], '?')
	if i <= 0 || i+2 >= len(t) || t[i+2] != '?' || strings.IndexByte("bBqQ", t[i+1]) < 0 {
		return
	}
	cs, enc = t[:i], t[i+1]
	cs, _, _ = strings.Cut(cs, "*")
	if cs == "" || strings.ContainsAny(cs, " \t=<>") {
		return
	}
	t = t[i+3:]
	j := strings.Index(t, "?=")
	if j < 0 {
		return
	}
	return cs, enc, t[:j], t[j+2:], true
}

// parseParams is a lenient Content-Type / Content-Disposition reader with RFC 2231 in any charset.
func parseParams(v string, max int) (string, map[string]string) {
	v = v[:min(len(v), 32<<10)]
	i := strings.IndexByte(v, ';')
	if i < 0 {
		return strings.TrimSpace(v), nil
	}
	val, rest := strings.TrimSpace(v[:i]), v[i+1:]
	out := map[string]string{}
	type seg struct {
		n   int
		enc bool
		v   string
	}
	segs := map[string][]seg{}
	for n := 0; rest != "" && n < max; n++ {
		rest = strings.TrimLeft(rest, " \t;")
		e := strings.IndexAny(rest, "=;")
		if e < 0 {
			break
		}
		if rest[e] == ';' {
			rest = rest[e:]
			continue
		}
		k := strings.ToLower(strings.TrimSpace(rest[:e]))
		rest = strings.TrimLeft(rest[e+1:], " \t")
		var x string
		if strings.HasPrefix(rest, `"`) {
			var sb strings.Builder
			j := 1
			for ; j < len(rest) && rest[j] != '"'; j++ {
				if rest[j] == '\\' && j+1 < len(rest) && (rest[j+1] == '"' || rest[j+1] == '\\') {
					j++
				}
				sb.WriteByte(rest[j])
			}
			x = sb.String()
			rest = rest[min(j+1, len(rest)):]
			if s := strings.IndexByte(rest, ';'); s >= 0 {
				rest = rest[s:]
			} else {
				rest = ""
			}
		} else {
			s := strings.IndexByte(rest, ';')
			if s < 0 {
				s = len(rest)
			}
			x, rest = strings.TrimSpace(rest[:s]), rest[s:]
		}
		base, star, has := strings.Cut(k, "*")
		if !has {
			if _, dup := out[k]; !dup {
				out[k] = x
			}
			continue
		}
		enc := star == "" || strings.HasSuffix(star, "*")
		num, _ := strconv.Atoi(strings.TrimSuffix(star, "*"))
		segs[base] = append(segs[base], seg{num, enc, x})
	}
	for k, ss := range segs {
		sort.SliceStable(ss, func(a, b int) bool { return ss[a].n < ss[b].n })
		var raw []byte
		cs := ""
		for i, s := range ss {
			if !s.enc {
				raw = append(raw, s.v...)
				continue
			}
			x := s.v
			if i == 0 {
				if p := strings.SplitN(x, "'", 3); len(p) == 3 {
					cs, x = p[0], p[2]
				}
			}
			for j := 0; j < len(x); j++ {
				if x[j] == '%' && j+2 < len(x) {
					if h, l := hexv(x[j+1]), hexv(x[j+2]); h >= 0 && l >= 0 {
						raw = append(raw, byte(h<<4|l))
						j += 2
						continue
					}
				}
				raw = append(raw, x[j])
			}
		}
		out[k] = decodeText(raw, cs, false)
	}
	return val, out
}

// cleanName: last path element, no control or bidi characters, never "." or "..", at most 255 bytes.
func cleanName(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, s)
	if i := strings.LastIndexAny(s, `/\`); i >= 0 {
		s = s[i+1:]
	}
	s = strings.TrimSpace(s)
	if s == "." || s == ".." {
		return ""
	}
	for len(s) > 255 {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}

// addressList reads an address list and never fails. Linear.
func addressList(s string, max int) []Addr {
	out, ok := addrs(s, max, false)
	if !ok {
		out, _ = addrs(s, max, true)
	}
	return out
}

func addrs(s string, max int, noQuote bool) (out []Addr, ok bool) {
	var quote, angle bool
	depth, start, lt, gt := 0, 0, -1, -1
	at := false
	var comment []byte
	var plain []byte // item without comments
	end := func() {
		if len(out) < max {
			if a, ok := addr(string(plain), lt, gt, string(comment)); ok {
				out = append(out, a)
			}
		}
		plain, comment, lt, gt, at, angle = plain[:0], comment[:0], -1, -1, false, false
	}
	_ = start
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote:
			plain = append(plain, c)
			if c == '\\' && i+1 < len(s) {
				i++
				plain = append(plain, s[i])
			} else if c == '"' {
				quote = false
			}
			continue
		case depth > 0:
			if c == '(' {
				depth++
			} else if c == ')' {
				if depth--; depth == 0 {
					continue
				}
			}
			comment = append(comment, c)
			continue
		case c == '"' && !noQuote:
			quote = true
		case c == '(' && !noQuote && !angle:
			depth++
			continue
		case c == '<':
			angle, lt = true, len(plain)
		case c == '>':
			angle, gt = false, len(plain)
		case c == '@':
			at = true
		case c == ':' && !at && !angle && !strings.HasSuffix(strings.ToLower(string(plain[max0(len(plain)-6):])), "mailto"):
			plain, lt, gt = plain[:0], -1, -1 // group name
			continue
		case c == ',' || c == ';' && !angle:
			end()
			continue
		}
		plain = append(plain, c)
	}
	bad := quote || depth > 0
	end()
	return out, !bad || noQuote
}
func max0(n int) int { return max(n, 0) }

func addr(s string, lt, gt int, comment string) (Addr, bool) {
	name, mail := "", s
	if lt >= 0 {
		if gt <= lt {
			gt = len(s)
		}
		name, mail = s[:lt], s[lt+1:gt]
	}
	mail = strings.Trim(mail, " \t<>'")
	if len(mail) > 7 && strings.EqualFold(mail[:7], "mailto:") {
		mail = mail[7:]
	}
	name = strings.TrimSpace(name)
	if name == "" {
		name = strings.TrimSpace(comment)
	}
	if lt < 0 { // "Name" a@b without angles
		if i := strings.LastIndexAny(mail, " \t"); i >= 0 && !strings.HasPrefix(mail, `"`) && strings.IndexByte(mail[i:], '@') >= 0 {
			name, mail = strings.TrimSpace(mail[:i]), mail[i+1:]
		}
	}
	if len(name) >= 2 && name[0] == '"' && name[len(name)-1] == '"' {
		name = unq(name[1 : len(name)-1])
	}
	name = strings.TrimSpace(decodeWords(name))
	if mail == "" && name == "" {
		return Addr{}, false
	}
	return Addr{name, mail}, true
}
func unq(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
