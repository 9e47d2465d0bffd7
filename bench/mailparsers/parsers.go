package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"slices"
	"strings"

	_ "github.com/emersion/go-message/charset" // decodes all charsets
	gomail "github.com/emersion/go-message/mail"
	"github.com/jhillyerd/enmime/v2"
	"golang.org/x/net/html/charset"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound/rawmime"
)

var parsers = []struct {
	name  string
	parse func([]byte) (summary, error)
}{{"rawmime", parseRawMIME}, {"standard library", parseStandard}, {"go-message", parseGoMessage}, {"enmime", parseEnmime}}

// summary has the subject, the senders, the text and the attachments of a mail.
type summary []string

func (s *summary) addFrom(name, address string) {
	if name != "" {
		address = name + " <" + address + ">"
	}
	*s = append(*s, address)
}

func (s *summary) addText(text string) { *s = append(*s, strings.TrimSpace(text)) }

func (s *summary) addFile(name string, content []byte) { s.addText(name + ": " + string(content)) }

func parseRawMIME(raw []byte) (summary, error) {
	m := rawmime.Parse(raw, anymail.Limits{})
	got := summary{m.Subject}
	for _, a := range m.From {
		got.addFrom(a.Name, a.Address)
	}
	got.addText(m.Text)
	for _, a := range m.Attachments {
		got.addFile(a.Filename, a.Content)
	}
	return got, nil
}

func parseEnmime(raw []byte) (summary, error) {
	e, err := enmime.ReadEnvelope(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	got := summary{e.GetHeader("Subject")}
	list, _ := e.AddressList("From")
	for _, a := range list {
		got.addFrom(a.Name, a.Address)
	}
	got.addText(e.Text)
	for _, a := range slices.Concat(e.Attachments, e.OtherParts) {
		got.addFile(a.FileName, a.Content)
	}
	return got, nil
}

func parseGoMessage(raw []byte) (summary, error) {
	r, err := gomail.CreateReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	subject, _ := r.Header.Subject()
	got := summary{subject}
	list, _ := r.Header.AddressList("From")
	for _, a := range list {
		got.addFrom(a.Name, a.Address)
	}
	for {
		p, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return got, nil
		} else if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(p.Body)
		if err != nil {
			return nil, err
		}
		if h, ok := p.Header.(*gomail.AttachmentHeader); ok {
			name, _ := h.Filename()
			got.addFile(name, content)
		} else {
			got.addText(string(content))
		}
	}
}

// parseStandard is what a program has to write around the standard library.
func parseStandard(raw []byte) (summary, error) {
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	words := &mime.WordDecoder{CharsetReader: charset.NewReaderLabel}
	subject, _ := words.DecodeHeader(m.Header.Get("Subject"))
	got := summary{subject}
	list, _ := (&mail.AddressParser{WordDecoder: words}).ParseList(m.Header.Get("From"))
	for _, a := range list {
		got.addFrom(a.Name, a.Address)
	}
	err = got.addEntity(m.Header.Get, m.Body)
	return got, err
}

func (s *summary) addEntity(field func(string) string, body io.Reader) error {
	mediaType, params, _ := mime.ParseMediaType(field("Content-Type"))
	if strings.HasPrefix(mediaType, "multipart/") {
		r := multipart.NewReader(body, params["boundary"])
		for {
			p, err := r.NextRawPart()
			if errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			if err := s.addEntity(p.Header.Get, p); err != nil {
				return err
			}
		}
	}
	switch strings.ToLower(field("Content-Transfer-Encoding")) {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	disposition, dispositionParams, _ := mime.ParseMediaType(field("Content-Disposition"))
	if r, err := charset.NewReaderLabel(params["charset"], body); err == nil && disposition != "attachment" {
		body = r
	}
	content, err := io.ReadAll(body)
	if disposition == "attachment" {
		s.addFile(dispositionParams["filename"], content)
	} else {
		s.addText(string(content))
	}
	return err
}
