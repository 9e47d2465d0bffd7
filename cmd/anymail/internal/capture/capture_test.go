package capture_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/cmd/anymail/internal/capture"
)

// what is a captured request without its notes.
type what struct {
	Form, Method, URL string
	Header            http.Header
	Body              string
}

func (w what) equal(t *testing.T, r *capture.Request) {
	t.Helper()
	got := what{r.Form, r.Method, r.URL, r.Header, string(r.Body)}
	require.Empty(t, cmp.Diff(w, got, cmpopts.EquateEmpty()))
}

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func TestHTTP(t *testing.T) {
	for name, tt := range map[string]struct {
		in   string
		want what
		note string
	}{
		"as on the wire": {
			"POST /a/mailgun/tracking/?x=1 HTTP/1.1\r\nHost: hooks.example.com\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
			what{"HTTP", "POST", "https://hooks.example.com/a/mailgun/tracking/?x=1", header("Host", "hooks.example.com", "X-A", "1", "X-A", "2", "Content-Length", "7"), `{"a":1}`}, "",
		},
		"LF, a last line end": {
			"POST /x HTTP/1.1\nHost: hooks.example.com\nContent-Length: 7\n\n{\"a\":1}\n",
			what{"HTTP", "POST", "https://hooks.example.com/x", header("Host", "hooks.example.com", "Content-Length", "7"), `{"a":1}`}, "",
		},
		"a line end that belongs to the body": {
			"POST /x\nContent-Length: 8\n\n{\"a\":1}\n",
			what{"HTTP", "POST", "/x", header("Content-Length", "8"), "{\"a\":1}\n"}, "",
		},
		"no length": {
			"POST /x HTTP/1.1\n\n{\"a\":1}\n",
			what{"HTTP", "POST", "/x", nil, "{\"a\":1}\n"}, "",
		},
		"shorter than declared": {
			"POST /x HTTP/1.1\nContent-Length: 20\n\n{}",
			what{"HTTP", "POST", "/x", header("Content-Length", "20"), "{}"}, "Content-Length is 20, but the body was captured with 2 bytes",
		},
		"longer than declared": {
			"POST /x HTTP/1.1\nContent-Length: 2\n\n{ }",
			what{"HTTP", "POST", "/x", header("Content-Length", "2"), "{ }"}, "Content-Length is 2, but the body was captured with 3 bytes",
		},
		"no request line": {
			"Host: hooks.example.com\nContent-Type: application/json\n\n{}",
			what{"HTTP", "POST", "https://hooks.example.com/", header("Host", "hooks.example.com", "Content-Type", "application/json"), "{}"}, "no request line",
		},
		"no empty line": {
			"POST /x HTTP/1.1\nX-A: 1\n{\"a\":1}\n\n",
			what{"HTTP", "POST", "/x", header("X-A", "1"), "{\"a\":1}\n\n"}, "no empty line",
		},
		"folded": {
			"POST /x HTTP/1.1\nX-A: 1\n  2\n\n",
			what{"HTTP", "POST", "/x", header("X-A", "1 2"), ""}, "",
		},
		"HTTP/2": {
			":method: POST\n:path: /x\n:authority: hooks.example.com\n:scheme: http\nx-a: 1\n\n{}",
			what{"HTTP", "POST", "http://hooks.example.com/x", header("Host", "hooks.example.com", "X-Forwarded-Proto", "http", "X-A", "1"), "{}"}, "",
		},
		"chunked": {
			"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4;a=b\r\n{\"a\"\r\n3\r\n:1}\r\n0\r\n\r\n",
			what{"HTTP", "POST", "/x", nil, `{"a":1}`}, "",
		},
		"chunked with LF": {
			"POST /x HTTP/1.1\nTransfer-Encoding: chunked\n\n4\n{\"a\"\n3\n:1}\n0\n",
			what{"HTTP", "POST", "/x", nil, `{"a":1}`}, "",
		},
		"said to be chunked": {
			"POST /x HTTP/1.1\nTransfer-Encoding: chunked\n\n{\"a\":1}",
			what{"HTTP", "POST", "/x", nil, `{"a":1}`}, "without chunks",
		},
		"said to be gzip": {
			"POST /x HTTP/1.1\nContent-Encoding: gzip\n\n{}",
			what{"HTTP", "POST", "/x", nil, `{}`}, "captured inflated",
		},
		"behind a proxy": {
			"POST /x HTTP/1.1\nHost: 127.0.0.1:8080\nX-Forwarded-Proto: https\nX-Forwarded-Host: a.example, hooks.example.com\n\n",
			what{"HTTP", "POST", "https://hooks.example.com/x", header("Host", "127.0.0.1:8080", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "a.example, hooks.example.com"), ""}, "",
		},
		"on this machine": {
			"POST /x HTTP/1.1\nHost: localhost:8080\n\n",
			what{"HTTP", "POST", "http://localhost:8080/x", header("Host", "localhost:8080"), ""}, "",
		},
		"with credentials": {
			"POST https://user:pass%40word@hooks.example.com/x HTTP/1.1\n\n",
			what{"HTTP", "POST", "https://hooks.example.com/x", header("Authorization", "Basic dXNlcjpwYXNzQHdvcmQ="), ""}, "",
		},
		"a body only": {
			"[1]\n", what{"body", "POST", "", header("Content-Type", "application/json"), "[1]\n"}, "nothing but a body",
		},
		"bytes that were lost": {
			"POST /x HTTP/1.1\n\n{\"a\":\"\uFFFD\"}", what{"HTTP", "POST", "/x", nil, "{\"a\":\"\uFFFD\"}"}, "U+FFFD",
		},
		"bytes that are not UTF-8": {
			"POST /x HTTP/1.1\n\n\x89PNG", what{"HTTP", "POST", "/x", nil, "\x89PNG"}, "",
		},
		"of Windows": {
			"\xef\xbb\xbfPOST /x HTTP/1.1\r\n\r\n{}", what{"HTTP", "POST", "/x", nil, "{}"}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := capture.Read([]byte(tt.in), capture.Options{})
			require.NoError(t, err)
			tt.want.equal(t, r)
			if tt.note == "" {
				require.Empty(t, r.Notes)
			} else {
				require.Contains(t, strings.Join(r.Notes, "\n"), tt.note)
			}
		})
	}
}

func TestCurl(t *testing.T) {
	files := fstest.MapFS{
		"body.json":   {Data: []byte("{\"a\":\r\n1}\n\xff")},
		"headers.txt": {Data: []byte("X-A: 1\r\n\nX-B: 2\n")},
	}
	for name, tt := range map[string]struct {
		in   string
		want what
	}{
		"of a browser": {
			"curl 'https://hooks.example.com/x' \\\n  -H 'Content-Type: application/json' \\\n  -H 'X-A: it'\\''s' \\\n  --data-raw $'{\"a\":\"it\\'s \\u00e9\\\\n\"}' \\\n  --compressed",
			what{"curl", "POST", "https://hooks.example.com/x", header("Content-Type", "application/json", "X-A", "it's"), `{"a":"it's é\n"}`},
		},
		"CRLF": {
			"curl https://hooks.example.com/x \\\r\n -d '{}'",
			what{"curl", "POST", "https://hooks.example.com/x", header("Content-Type", "application/x-www-form-urlencoded"), "{}"},
		},
		"letters": {
			"$ curl -sSkXPUT -uuser:pass -H 'X-A:1' -dx=1 -d y=2 hooks.example.com/x | jq .",
			what{"curl", "PUT", "http://hooks.example.com/x", header("Authorization", "Basic dXNlcjpwYXNz", "X-A", "1", "Content-Type", "application/x-www-form-urlencoded"), "x=1&y=2"},
		},
		"credentials in the URL": {
			`curl --url "https://user:pass@hooks.example.com/x" --json '{"a":' --json 1}`,
			what{"curl", "POST", "https://hooks.example.com/x", header("Authorization", "Basic dXNlcjpwYXNz", "Content-Type", "application/json", "Accept", "application/json"), `{"a":1}`},
		},
		"encoded": {
			`curl https://hooks.example.com/x --data-urlencode 'a=b c&d' --data-urlencode '=e f' --data-urlencode 'g+h'`,
			what{"curl", "POST", "https://hooks.example.com/x", header("Content-Type", "application/x-www-form-urlencoded"), "a=b%20c%26d&e%20f&g%2Bh"},
		},
		"a value that looks like a file": {
			`curl https://hooks.example.com/x --data-raw @body.json`,
			what{"curl", "POST", "https://hooks.example.com/x", header("Content-Type", "application/x-www-form-urlencoded"), "@body.json"},
		},
		"files": {
			`curl https://hooks.example.com/x -H @headers.txt -H 'Content-Type: application/json' --data-binary @body.json`,
			what{"curl", "POST", "https://hooks.example.com/x", header("X-A", "1", "X-B", "2", "Content-Type", "application/json"), "{\"a\":\r\n1}\n\xff"},
		},
		"a file without line ends": {
			`curl https://hooks.example.com/x -H 'Content-Type: application/json' -d @body.json`,
			what{"curl", "POST", "https://hooks.example.com/x", header("Content-Type", "application/json"), "{\"a\":1}\xff"},
		},
		"percent signs, and what a shell would match": {
			"curl https://hooks.example.com/x -H 'A: b' --data-raw $'100%s \\x41' -d \"a\\\"b\\\\c\\d\" -d {1..3} -d ~ -d *\\ *",
			what{"curl", "POST", "https://hooks.example.com/x", header("A", "b", "Content-Type", "application/x-www-form-urlencoded"), `100%s A&a"b\c\d&{1..3}&~&* *`},
		},
		"no body": {
			`curl -G https://hooks.example.com/x?a=1 -d b=2`,
			what{"curl", "GET", "https://hooks.example.com/x?a=1&b=2", nil, ""},
		},
		"in a script": {
			"set -e\n# comment\n", what{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := capture.Read([]byte(tt.in), capture.Options{Files: files})
			if tt.want.Form == "" {
				require.ErrorIs(t, err, capture.ErrUnknown)
				return
			}
			require.NoError(t, err)
			tt.want.equal(t, r)
		})
	}
}

func TestCurlForm(t *testing.T) {
	files := fstest.MapFS{"dir/notes.txt": {Data: []byte("a note")}}
	r, err := capture.Read([]byte(`curl https://hooks.example.com/x -F 'a=1;2' -F 'f=@dir/notes.txt;type=text/plain' --form-string 'b=@x' -F 'c=<dir/notes.txt'`), capture.Options{Files: files})
	require.NoError(t, err)
	req := http.Request{Method: http.MethodPost, Header: r.Header, Body: http.NoBody}
	req.Body = readCloser{strings.NewReader(string(r.Body))}
	require.NoError(t, req.ParseMultipartForm(1<<20))
	require.Equal(t, map[string][]string{"a": {"1;2"}, "b": {"@x"}, "c": {"a note"}}, req.MultipartForm.Value)
	file := req.MultipartForm.File["f"][0]
	require.Equal(t, "notes.txt", file.Filename)
	require.Equal(t, "text/plain", file.Header.Get("Content-Type"))
	require.Contains(t, strings.Join(r.Notes, "\n"), "composed from its fields")
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

func TestHAR(t *testing.T) {
	const entries = `{"log":{"version":"1.2","entries":[
		{"startedDateTime":"2026-09-21T14:13:19Z","request":{"method":"GET","url":"https://example.com/","headers":[]}},
		{"startedDateTime":"2026-09-21T14:13:20.5Z","request":{"method":"POST","url":"https://hooks.example.com/x","bodySize":2,
			"headers":[{"name":":path","value":"/x"},{"name":"content-type","value":"application/json"},{"name":"X-A","value":"1"}],
			"postData":{"mimeType":"application/json","text":"{}"}}},
		{"startedDateTime":"2026-09-21T14:13:21Z","request":{"method":"POST","url":"https://hooks.example.com/y","bodySize":9,
			"postData":{"mimeType":"application/octet-stream","encoding":"base64","text":"/wA="}}},
		{"startedDateTime":"yesterday","request":{"method":"POST","url":"https://hooks.example.com/z",
			"postData":{"mimeType":"application/x-www-form-urlencoded","params":[{"name":"a b","value":"1&2"},{"name":"c","value":""}]}}}]}}`
	read := func(entry int) *capture.Request {
		r, err := capture.Read([]byte(entries), capture.Options{Entry: entry})
		require.NoError(t, err)
		return r
	}
	r := read(0)
	what{"HAR", "POST", "https://hooks.example.com/x", header("Content-Type", "application/json", "X-A", "1"), "{}"}.equal(t, r)
	require.Equal(t, time.Date(2026, 9, 21, 14, 13, 20, 5e8, time.UTC), r.At)
	require.Equal(t, []string{"entry 2 of 4"}, r.Notes)
	what{"HAR", "GET", "https://example.com/", nil, ""}.equal(t, read(1))
	r = read(3)
	what{"HAR", "POST", "https://hooks.example.com/y", header("Content-Type", "application/octet-stream"), "\xff\x00"}.equal(t, r)
	require.Contains(t, r.Notes, "the body had 9 bytes, but was captured with 2")
	r = read(4)
	what{"HAR", "POST", "https://hooks.example.com/z", header("Content-Type", "application/x-www-form-urlencoded"), "a+b=1%262&c="}.equal(t, r)
	require.Contains(t, strings.Join(r.Notes, "\n"), "composed from its fields")
	require.Zero(t, r.At)

	for _, entry := range []int{-1, 5} {
		_, err := capture.Read([]byte(entries), capture.Options{Entry: entry})
		require.ErrorContains(t, err, "which has 4")
	}
	_, err := capture.Read([]byte(`{"log":{"entries":[]}}`), capture.Options{})
	require.ErrorContains(t, err, "no POST among the 0 entries")
}

func TestErrors(t *testing.T) {
	for in, want := range map[string]string{
		"":                                 "it is empty",
		" \n":                              "it is empty",
		"hello world":                      "neither",
		"\x00\x01\x02":                     "neither",
		"HTTP/1.1 200 OK\n\n{}":            "it is a response",
		"POST /x HTTP/1.1\nnot a header\n": "line 1 of the headers is invalid",
		"POST /x HTTP/1.1\n" + strings.Repeat("A: 1\n", 1001): "more than 1000",
		"curl 'https://x":                          "not well quoted",
		"curl https://x -d \"$HOME\"":              "contains a variable",
		"curl https://x -d \"$(cat /etc/passwd)\"": "contains a variable",
		"curl https://x -d `id`":                   "contains a variable",
		"curl https://x -d @/etc/passwd":           "--files",
		"curl https://x -F a=@/etc/passwd":         "--files",
		"curl https://x -H @/etc/passwd":           "--files",
		"curl https://x --data-urlencode a@b":      "--files",
		"curl https://x -d @-":                     "--files",
		"curl https://x --no-such-option 1":        "--no-such-option is unknown",
		"curl https://x -Z":                        "-Z is unknown",
		"curl https://x -H":                        "needs a value",
		"curl https://x -H nothing":                "is not a header",
		"curl https://x -F nothing":                "is not a field",
		`{"log":{"entries":[{"request":{"method":"POST","postData":{"encoding":"base64","text":"?"}}}]}}`: "is not base64",
	} {
		_, err := capture.Read([]byte(in), capture.Options{})
		require.ErrorContains(t, err, want, in)
		require.NotContains(t, err.Error(), "passwd")
	}
	_, err := capture.Read(make([]byte, capture.MaxBytes+1), capture.Options{})
	require.ErrorIs(t, err, capture.ErrTooLong)
	_, err = capture.Read([]byte("curl https://x -d @/etc/passwd"), capture.Options{Files: fstest.MapFS{}})
	require.ErrorContains(t, err, "cannot be opened")
}

// A request that is read is complete. A request written in any form is read
// unchanged, unless the form cannot contain it.
func FuzzRead(f *testing.F) {
	f.Add([]byte("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"))
	f.Add([]byte("POST /x\nContent-Length: 1\n\n{}"))
	f.Add([]byte("curl -XPOST 'https://u:p@a/' -H $'A: \\u00e9' --data-urlencode a=b -F a=b --json '{}'"))
	f.Add([]byte(`curl "a" -d {1..3} -d ~ -d *`))
	f.Add([]byte(`{"log":{"entries":[{"request":{"method":"POST","url":"https://a/","headers":[{"name":"a","value":"b"}],"postData":{"params":[{"name":"a"}]}}}]}}`))
	f.Add([]byte(`{"a":1}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := capture.Read(in, capture.Options{})
		if (r == nil) == (err == nil) {
			t.Fatalf("%v, %v", r, err)
		}
		if err == nil && (r.Form == "" || r.Method == "" || r.Header == nil || len(r.Body) > 4*len(in)+1000) {
			t.Fatalf("%+v", r)
		}

		wire := append([]byte("POST /x HTTP/1.1\r\nContent-Type: text/plain\r\n\r\n"), in...)
		encoded, _ := json.Marshal(base64.StdEncoding.EncodeToString(in))
		har := `{"log":{"entries":[{"request":{"method":"POST","url":"/x","headers":[{"name":"Content-Type","value":"text/plain"}],"postData":{"encoding":"base64","text":` + string(encoded) + `}}}]}}`
		written := []string{string(wire), har}
		if !bytes.ContainsAny(in, "\x00\r") {
			written = append(written, "curl /x -X POST -H 'Content-Type: text/plain' --data-raw '"+strings.ReplaceAll(string(in), "'", `'\''`)+"'")
		}
		for _, text := range written {
			r, err := capture.Read([]byte(text), capture.Options{})
			if err != nil {
				t.Fatalf("%.200q: %v", text, err)
			}
			if u, err := url.Parse(r.URL); err != nil || !strings.HasSuffix(u.Path, "/x") && u.Path != "" {
				t.Fatalf("URL %q", r.URL)
			}
			if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "text/plain" || !bytes.Equal(r.Body, in) {
				t.Fatalf("%.200q: read as %+v", text, r)
			}
		}
	})
}
