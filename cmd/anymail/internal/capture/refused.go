package capture

import "github.com/goanymail/anymail/refused"

// readRefused reads the request in a file of package refused.
func readRefused(found refused.Refusal, request []byte) (*Request, error) {
	r, err := readHTTP(request)
	if err != nil {
		return nil, err
	}
	r.Form, r.At, r.Found = "refused", found.At, &found
	switch found.Body {
	case refused.BodyNotRead:
		r.changed("the server refused the request before it read the body, so that the file has none")
	case refused.BodyTooLarge:
		r.changed("the body was larger than those that the server keeps, so that the file has none")
	}
	return r, nil
}
