package sns

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"regexp"
	"strings"
)

// Service is where a service that speaks SNS keeps what the messages of a topic
// refer to.
type Service struct {
	// CertificatePrefix begins the URL of a signing certificate. Only letters,
	// digits and "-", "_", "." and "/" may follow it.
	CertificatePrefix string
	// CertificateNames are DNS names, of which the certificate must have one.
	// They are not checked if empty.
	CertificateNames []string
	// APIHost is the host at which a subscription is confirmed.
	APIHost string
}

// partitions has, for the partition of a topic's ARN, the shape of its regions,
// its domain and the names in its certificates. Regions since 2019 have a name of
// their own in them; GovCloud has one for both. In the partition aws any two
// letters may begin a region, because Amazon adds areas (mx in 2025).
//
// Sources: AWS SDK for Java 2, SnsHostProvider;
// https://github.com/boto/botocore/blob/develop/botocore/data/partitions.json
var partitions = map[string]struct {
	region *regexp.Regexp
	domain string
	names  []string
}{
	"aws":        {regionsOf("[a-z]{2}"), "amazonaws.com", []string{"sns.amazonaws.com", "sns-signing.{region}.amazonaws.com"}},
	"aws-cn":     {regionsOf("cn"), "amazonaws.com.cn", []string{"sns-{region}.amazonaws.com.cn", "sns-signing.{region}.amazonaws.com.cn"}},
	"aws-us-gov": {regionsOf("us-gov"), "amazonaws.com", []string{"sns-us-gov-west-1.amazonaws.com", "sns-signing.{region}.amazonaws.com"}},
	"aws-eusc":   {regionsOf("eusc-[a-z]{2}"), "amazonaws.eu", []string{"sns-signing.{region}.amazonaws.eu"}},
	"aws-iso":    {regionsOf("us-iso"), "c2s.ic.gov", []string{"sns-{region}.c2s.ic.gov", "sns-signing.{region}.c2s.ic.gov"}},
	"aws-iso-b":  {regionsOf("us-isob"), "sc2s.sgov.gov", []string{"sns-{region}.sc2s.sgov.gov", "sns-signing.{region}.sc2s.sgov.gov"}},
	"aws-iso-e":  {regionsOf("eu-isoe"), "cloud.adc-e.uk", []string{"sns-signing.{region}.cloud.adc-e.uk"}},
	"aws-iso-f":  {regionsOf("us-isof"), "csp.hci.ic.gov", []string{"sns-signing.{region}.csp.hci.ic.gov"}},
}

// regionsOf returns the shape of the names of an area's regions. Other names lead
// to hosts that anyone can have: sns.s3.amazonaws.com is a bucket of S3, and so is
// sns.s3-us-west-2.amazonaws.com.
func regionsOf(area string) *regexp.Regexp {
	return regexp.MustCompile("^" + area + "-[a-z]+-[0-9]{1,2}$")
}

// AWS returns the [Service] of Amazon itself, for a topic of any partition. It
// returns false if topicARN is not an ARN of Amazon SNS.
func AWS(topicARN string) (Service, bool) {
	parts := strings.Split(topicARN, ":") // arn:aws:sns:eu-west-1:123456789012:topic
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "sns" {
		return Service{}, false
	}
	partition, ok := partitions[parts[1]]
	region := parts[3]
	if !ok || !partition.region.MatchString(region) {
		return Service{}, false
	}
	host := "sns." + region + "." + partition.domain
	service := Service{CertificatePrefix: "https://" + host + "/SimpleNotificationService-", APIHost: host}
	for _, name := range partition.names {
		service.CertificateNames = append(service.CertificateNames, strings.ReplaceAll(name, "{region}", region))
	}
	return service, true
}

// TestCertificateURL returns the URL that messages name which a test certificate
// signed: see TestCertificates in [Options]. The service serves nothing there.
func (s Service) TestCertificateURL(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return s.CertificatePrefix + "anymail-test-" + hex.EncodeToString(sum[:16]) + ".pem"
}
