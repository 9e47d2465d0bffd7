// Command mailparsers compares MIME parsers on malformed and unusual mails: those
// in testdata, and two that it generates. The mails and what is right are this
// project's own choice. Run it in this folder:
//
//	GOWORK=off go run .
package main

import (
	"embed"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"
)

// timeout is how long a parser may take for one mail.
const timeout = 8 * time.Second

//go:embed testdata/*.eml
var testdata embed.FS

// mails are the files in testdata and the summaries that are right.
var mails = [][2]string{
	{"well-formed", "Zażółć | Zoë Ng <zoe@example.org> | hello | a.txt: data"},
	{"stray-header-line", "s | ann@example.org | hello"},
	{"empty-lines-first", "s | ann@example.org | hello"},
	{"space-before-colon", "s | ann@example.org | hello"},
	{"encoded-word-split-in-character", "café | ann@example.org | hello"},
	{"encoded-word-in-quotes", "s | Zoë Ng <zoe@example.org> | hello"},
	{"raw-8bit-subject", "café | ann@example.org | hello"},
	{"one-bad-address", "s | Ann <ann@example.org> | bob@example.org | hello"},
	{"latin1-declared-as-utf8", "s | ann@example.org | café"},
	{"iso-2022-jp", "s | ann@example.org | 日本"},
	{"wrong-boundary", "s | ann@example.org | hello | a.txt: data"},
	{"inner-multipart-unclosed", "s | ann@example.org | hello | a.txt: data"},
	{"filename-in-koi8-r", "s | ann@example.org | hello | Мир.txt: data"},
	{"filename-unquoted-spaces", "s | ann@example.org | hello | my big file.txt: data"},
	{"junk-in-base64", "s | ann@example.org | hello | a.txt: hello, you"},
	{"quoted-printable-invalid-escape", "s | ann@example.org | 100%=ZZ é"},
}

func main() {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	row := func(name, mail string, right func(summary string) bool) {
		fmt.Fprint(table, name)
		for _, p := range parsers {
			fmt.Fprint(table, "\t", verdict(p.parse, []byte(strings.ReplaceAll(mail, "\n", "\r\n")), right))
		}
		fmt.Fprintln(table)
	}
	for _, p := range parsers {
		fmt.Fprint(table, "\t", p.name)
	}
	fmt.Fprintln(table)
	for _, mail := range mails {
		raw, err := testdata.ReadFile("testdata/" + mail[0] + ".eml")
		if err != nil {
			panic(err)
		}
		row(mail[0], string(raw), func(summary string) bool { return summary == mail[1] })
	}
	var nested strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&nested, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	parts := "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\nContent-Type: a/b\n\nx\n", 100_000) + "--b--\n"
	inTime := func(summary string) bool { return strings.HasPrefix(summary, "s | ") }
	row("1000 nested multiparts", "Subject: s\nFrom: a@example.org\n"+nested.String(), inTime)
	row("100,000 parts", "Subject: s\nFrom: a@example.org\n"+parts, inTime)
	if err := table.Flush(); err != nil {
		panic(err)
	}
}

// verdict parses one mail. The goroutine of a parser that is too slow is left
// behind.
func verdict(parse func([]byte) (summary, error), raw []byte, right func(string) bool) string {
	result := make(chan string, 1)
	go func() {
		switch got, err := parse(raw); {
		case err != nil:
			result <- "error"
		case right(strings.Join(got, " | ")):
			result <- "right"
		default:
			result <- "wrong"
		}
	}()
	select {
	case v := <-result:
		return v
	case <-time.After(timeout):
		return "over " + timeout.String()
	}
}
