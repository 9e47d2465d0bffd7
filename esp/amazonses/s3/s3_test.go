package s3_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/esp/amazonses"
	"github.com/goanymail/anymail/esp/amazonses/amazonsessim"
	"github.com/goanymail/anymail/esp/amazonses/s3"
	"github.com/goanymail/anymail/simulator"
)

const bucket = "example-mail"

// storage starts a server that is compatible with S3 and has an empty bucket.
func storage(t *testing.T) *awss3.Client {
	t.Helper()
	server := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
	t.Cleanup(server.Close)
	client := awss3.NewFromConfig(aws.Config{
		Region:      "eu-west-1",
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "made-up", ""),
	}, func(o *awss3.Options) {
		o.BaseEndpoint, o.UsePathStyle, o.RetryMaxAttempts = &server.URL, true, 1
	})
	_, err := client.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	return client
}

func put(t *testing.T, client *awss3.Client, key string, content []byte, metadata map[string]string) {
	t.Helper()
	_, err := client.PutObject(t.Context(), &awss3.PutObjectInput{
		Bucket: aws.String(bucket), Key: &key, Body: bytes.NewReader(content), Metadata: metadata,
	})
	require.NoError(t, err)
}

func TestGetObject(t *testing.T) {
	client := storage(t)
	getter := s3.NewWithClient(client)
	content := []byte("From: ada@example.com\r\n\r\nGr\xfc\xdfe\r\n")
	put(t, client, "in/some message?", content, nil)

	object, err := getter.GetObject(t.Context(), bucket, "in/some message?")
	require.NoError(t, err)
	got, err := io.ReadAll(object)
	require.NoError(t, err)
	require.NoError(t, object.Close())
	require.Equal(t, content, got)
}

func TestGetObjectFails(t *testing.T) {
	client := storage(t)
	getter := s3.NewWithClient(client)
	put(t, client, "v2", []byte("sealed"), map[string]string{"x-amz-key-v2": "c2VhbGVk", "x-amz-cek-alg": "AES/GCM/NoPadding"})
	put(t, client, "v1", []byte("sealed"), map[string]string{"x-amz-key": "c2VhbGVk"})

	_, err := getter.GetObject(t.Context(), bucket, "none")
	require.ErrorIs(t, err, fs.ErrNotExist)

	_, err = getter.GetObject(t.Context(), "no-such-bucket", "none")
	require.Error(t, err)
	require.NotErrorIs(t, err, fs.ErrNotExist, "a bucket is a matter of configuration, which can be fixed")

	for _, key := range []string{"v1", "v2"} {
		_, err = getter.GetObject(t.Context(), bucket, key)
		require.ErrorIs(t, err, s3.ErrEncrypted, key)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = getter.GetObject(ctx, bucket, "v2")
	require.ErrorIs(t, err, context.Canceled)
}

// decrypting stands for an encryption client, which leaves the metadata as it is.
type decrypting struct{ *awss3.Client }

func (d decrypting) GetObject(ctx context.Context, in *awss3.GetObjectInput, options ...func(*awss3.Options)) (*awss3.GetObjectOutput, error) {
	out, err := d.Client.GetObject(ctx, in, options...)
	if err == nil {
		out.Body = io.NopCloser(bytes.NewReader([]byte("opened")))
	}
	return out, err
}

func TestClientThatDecrypts(t *testing.T) {
	client := storage(t)
	put(t, client, "v2", []byte("sealed"), map[string]string{"x-amz-key-v2": "c2VhbGVk"})
	object, err := s3.NewWithClient(decrypting{client}).GetObject(t.Context(), bucket, "v2")
	require.NoError(t, err)
	got, err := io.ReadAll(object)
	require.NoError(t, err)
	require.Equal(t, "opened", string(got))
}

// TestInbound is the whole way of a message: stored by SES, told by SNS,
// fetched by the adapter, delivered.
func TestInbound(t *testing.T) {
	client := storage(t)
	var cloud amazonsessim.AWS
	sim := cloud.Simulator()
	sim.NewAdapter = func(trusted ...simulator.Credential) (anymail.Adapter, error) {
		config, err := cloud.Config(trusted...)
		if err != nil {
			return nil, err
		}
		config.Objects, config.Buckets = s3.NewWithClient(client), []string{bucket}
		return amazonses.New(config)
	}
	sample, ok := sim.Sample("Received S3")
	require.True(t, ok)
	server := anymailtest.NewServer(t, sim)

	p := simulator.NewParams()
	put(t, client, "in/"+p.EventID, p.MIME, nil)
	events := server.Send(t, sample, p)
	require.Len(t, events, 1)
	message := events[0].(*anymail.InboundEvent).Message
	require.Equal(t, string(p.MIME), string(message.RawMIME))
	require.Equal(t, "help@inbound.example.org", message.EnvelopeRecipient)
	require.Len(t, message.Attachments, 2)

	lost := server.Send(t, sample, simulator.NewParams())
	require.Len(t, lost, 1)
	require.Equal(t, anymail.EventInboundFailed, lost[0].Base().Type)
}

func Example() {
	config := aws.Config{Region: "eu-west-1"} // or what config.LoadDefaultConfig returns
	adapter, err := amazonses.New(amazonses.Config{
		Objects: s3.New(config),
		Buckets: []string{"example-mail"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(adapter.ESP())
	// Output: amazonses
}
