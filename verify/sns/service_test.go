package sns_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/verify/sns"
)

func TestAWS(t *testing.T) {
	tests := []struct {
		arn  string
		host string
		name string // that the certificate may have
	}{
		{topic, "sns.eu-west-1.amazonaws.com", "sns.amazonaws.com"},
		{"arn:aws:sns:mx-central-1:123456789012:demo", "sns.mx-central-1.amazonaws.com", "sns-signing.mx-central-1.amazonaws.com"},
		{"arn:aws:sns:us-east-1:123456789012:demo.fifo", "sns.us-east-1.amazonaws.com", "sns.amazonaws.com"},
		{"arn:aws:sns:ap-southeast-5:123456789012:demo", "sns.ap-southeast-5.amazonaws.com", "sns-signing.ap-southeast-5.amazonaws.com"},
		{"arn:aws:sns:ca-west-1:123456789012:demo", "sns.ca-west-1.amazonaws.com", "sns-signing.ca-west-1.amazonaws.com"},
		{"arn:aws:sns:il-central-1:123456789012:demo", "sns.il-central-1.amazonaws.com", "sns-signing.il-central-1.amazonaws.com"},
		{"arn:aws-cn:sns:cn-north-1:123456789012:demo", "sns.cn-north-1.amazonaws.com.cn", "sns-cn-north-1.amazonaws.com.cn"},
		{"arn:aws-cn:sns:cn-northwest-1:123456789012:demo", "sns.cn-northwest-1.amazonaws.com.cn", "sns-cn-northwest-1.amazonaws.com.cn"},
		{"arn:aws-us-gov:sns:us-gov-west-1:123456789012:demo", "sns.us-gov-west-1.amazonaws.com", "sns-us-gov-west-1.amazonaws.com"},
		{"arn:aws-us-gov:sns:us-gov-east-1:123456789012:demo", "sns.us-gov-east-1.amazonaws.com", "sns-us-gov-west-1.amazonaws.com"},
		{"arn:aws-eusc:sns:eusc-de-east-1:123456789012:demo", "sns.eusc-de-east-1.amazonaws.eu", "sns-signing.eusc-de-east-1.amazonaws.eu"},
		{"arn:aws-iso:sns:us-iso-east-1:123456789012:demo", "sns.us-iso-east-1.c2s.ic.gov", "sns-us-iso-east-1.c2s.ic.gov"},
		{"arn:aws-iso:sns:us-iso-west-1:123456789012:demo", "sns.us-iso-west-1.c2s.ic.gov", "sns-us-iso-west-1.c2s.ic.gov"},
		{"arn:aws-iso-b:sns:us-isob-east-1:123456789012:demo", "sns.us-isob-east-1.sc2s.sgov.gov", "sns-us-isob-east-1.sc2s.sgov.gov"},
		{"arn:aws-iso-e:sns:eu-isoe-west-1:123456789012:demo", "sns.eu-isoe-west-1.cloud.adc-e.uk", "sns-signing.eu-isoe-west-1.cloud.adc-e.uk"},
		{"arn:aws-iso-f:sns:us-isof-south-1:123456789012:demo", "sns.us-isof-south-1.csp.hci.ic.gov", "sns-signing.us-isof-south-1.csp.hci.ic.gov"},
	}
	for _, tt := range tests {
		service, ok := sns.AWS(tt.arn)
		require.True(t, ok, tt.arn)
		require.Equal(t, tt.host, service.APIHost)
		require.Equal(t, "https://"+tt.host+"/SimpleNotificationService-", service.CertificatePrefix)
		require.Contains(t, service.CertificateNames, tt.name)
	}
	for _, arn := range []string{
		"", "demo", "arn:aws:sqs:eu-west-1:123456789012:demo", "arn:aws:sns:eu-west-1:123456789012", topic + ":subscription",
		"arn:scw:sns:fr-par:project-1:mail",
		"arn:aws:sns::123456789012:demo", "arn:aws:sns:EU-WEST-1:123456789012:demo",
		"arn:aws:sns:x.s3:123456789012:demo", "arn:aws:sns:example.com/:123456789012:demo", "arn:aws:sns:a@b:123456789012:demo",
		"arn:aws:sns:eu-west-1\n:123456789012:demo",
		// Hosts at which anyone may have a bucket, and other names that are not
		// of regions.
		"arn:aws:sns:s3:123456789012:demo", "arn:aws:sns:s3-us-west-2:123456789012:demo", "arn:aws:sns:s3-website-us-west-2:123456789012:demo",
		"arn:aws:sns:s3-accelerate:123456789012:demo", "arn:aws:sns:us-s3:123456789012:demo", "arn:aws:sns:aws-global:123456789012:demo",
		"arn:aws:sns:us-east:123456789012:demo", "arn:aws:sns:us-east-:123456789012:demo", "arn:aws:sns:us-east-100:123456789012:demo",
		"arn:aws:sns:us-east-1a:123456789012:demo", "arn:aws:sns:-us-east-1:123456789012:demo", "arn:aws:sns:us--1:123456789012:demo",
		"arn:aws:sns:us-gov-west-1:123456789012:demo", "arn:aws-us-gov:sns:us-west-1:123456789012:demo",
		"arn:aws-cn:sns:us-east-1:123456789012:demo", "arn:aws-cn:sns:s3:123456789012:demo",
		"arn:aws-eusc:sns:de-east-1:123456789012:demo", "arn:aws-iso:sns:us-isob-east-1:123456789012:demo",
	} {
		_, ok := sns.AWS(arn)
		require.False(t, ok, arn)
	}
}
