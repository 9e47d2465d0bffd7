package sns_test

import (
	"context"
	"fmt"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify/sns"
)

func ExampleNew() {
	v := sns.New(sns.Options{
		TopicARNs:     []string{"arn:aws:sns:eu-west-1:123456789012:mail"},
		RequireSHA256: true, // if the topic has SignatureVersion 2
	})

	_, err := v.Verify(context.Background(), &anymail.Payload{Body: []byte(`{
		"Type": "Notification",
		"TopicArn": "arn:aws:sns:eu-west-1:999999999999:of-another-account"
	}`)})
	fmt.Println(err)
	// Output: not authenticated: not a topic that is configured
}
