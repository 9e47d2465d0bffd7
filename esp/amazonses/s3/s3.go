// Package s3 gets messages that Amazon SES has received and stored in S3, for
// the adapter of Amazon SES, by the AWS SDK.
//
// The AWS identity of the program needs the permission s3:GetObject for the
// bucket, and s3:ListBucket: without it S3 answers "access denied" for objects
// that do not exist.
package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/goanymail/anymail/esp/amazonses"
)

// ErrEncrypted is about a message that a receipt rule encrypted before it stored
// it, so that S3 cannot decrypt it. Use a [Client] that can, such as the Amazon S3
// Encryption Client, or a rule that leaves encryption to S3.
//
// Source: https://docs.aws.amazon.com/ses/latest/dg/receiving-email-action-s3.html
var ErrEncrypted = errors.New("the object is encrypted on the client side")

// Client is the part of the SDK's client that a [Getter] needs.
type Client interface {
	GetObject(context.Context, *awss3.GetObjectInput, ...func(*awss3.Options)) (*awss3.GetObjectOutput, error)
}

// Getter gets objects from S3, or from a compatible service.
type Getter struct {
	client Client
}

var _ amazonses.ObjectGetter = (*Getter)(nil)

// New returns a Getter with its own client.
func New(config aws.Config, options ...func(*awss3.Options)) *Getter {
	return NewWithClient(awss3.NewFromConfig(config, options...))
}

// NewWithClient returns a Getter that uses client.
func NewWithClient(client Client) *Getter { return &Getter{client} }

// GetObject implements [amazonses.ObjectGetter]. It also returns [ErrEncrypted] if
// the object is encrypted and the client is the SDK's own; another client may have
// decrypted it.
func (g *Getter) GetObject(ctx context.Context, bucket, key string) (io.ReadCloser, error) {
	object, err := g.client.GetObject(ctx, &awss3.GetObjectInput{Bucket: &bucket, Key: &key})
	var missing *types.NoSuchKey
	switch {
	case errors.As(err, &missing):
		return nil, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	case err != nil:
		return nil, err
	}
	if _, plain := g.client.(*awss3.Client); plain && encrypted(object.Metadata) {
		_ = object.Body.Close()
		return nil, ErrEncrypted
	}
	return object.Body, nil
}

// encrypted reports whether the object's metadata has the (encrypted) key that
// SES's encryption client puts there.
func encrypted(metadata map[string]string) bool {
	_, v1 := metadata["x-amz-key"]
	_, v2 := metadata["x-amz-key-v2"]
	return v1 || v2
}
