package mailtoken_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/mailtoken"
)

func Example() {
	ctx := context.Background()
	tokens, err := mailtoken.New(mailtoken.Config{Keys: anymail.Keys("key-of-16-bytes-or-more")})
	if err != nil {
		panic(err)
	}
	sent := mailtoken.Message{ID: "order-4711", Recipient: "ada@example.net"}
	sender, err := tokens.ReturnPath(ctx, sent, "bounce+@example.com")
	if err != nil {
		panic(err)
	}

	// A bounce comes back to the sender address.
	claims, err := tokens.Check(ctx, mailtoken.UseReturnPath, mailtoken.InAddress(sender))
	fmt.Println(claims.ID, claims.IsFor("Ada@example.net"), claims.IsFor("bob@example.net"), err)
	// Output: order-4711 true false <nil>
}

func ExampleTokens_Check() {
	tokens, err := mailtoken.New(mailtoken.Config{Keys: anymail.Keys("key-of-16-bytes-or-more")})
	if err != nil {
		panic(err)
	}
	_, err = tokens.Check(context.Background(), mailtoken.UseUnsubscribe, "guess")
	fmt.Println(errors.Is(err, anymail.ErrUnauthenticated), errors.Is(err, mailtoken.ErrForm))
	// Output: true true
}

func ExampleTokens_ListUnsubscribe() {
	tokens, err := mailtoken.New(mailtoken.Config{Keys: anymail.Keys("key-of-16-bytes-or-more")})
	if err != nil {
		panic(err)
	}
	sent := mailtoken.Message{ID: "news", Recipient: "ada@example.net", Expires: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	headers, err := tokens.ListUnsubscribe(context.Background(), sent, "https://example.com/anymail/oneclick/", "unsubscribe@example.com")
	if err != nil {
		panic(err)
	}
	for _, h := range headers {
		fmt.Println(h.Name, len(h.Value) > 20)
	}
	// Output:
	// List-Unsubscribe true
	// List-Unsubscribe-Post true
}
