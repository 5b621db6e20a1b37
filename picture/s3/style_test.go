package s3

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What services answer to a bucket in the path, where they want it in the host's name.
func TestAServiceThatWantsTheBucketInItsHostSaysSo(t *testing.T) {
	for code, c := range map[string]struct {
		status int
		text   string
		want   string
	}{
		"SecondLevelDomainForbidden": {403, "The bucket you are attempting to access must be addressed using OSS third level domain.", "EASEL_S3_STYLE=host"},
		"PathStyleDomainForbidden":   {403, "The bucket you are attempting to access must be addressed using COS virtual-styled domain.", "EASEL_S3_STYLE=host"},
		"VirtualHostDomainRequired":  {403, "Virtual host domain is required when accessing a specific bucket.", "EASEL_S3_STYLE=host"},
		"InvalidPathAccess":          {403, "Forbidden path to access server", "EASEL_S3_STYLE=host"},
		"PermanentRedirect":          {301, "The bucket you are attempting to access must be addressed using the specified endpoint.", "EASEL_S3_ENDPOINT"},
		"SignatureDoesNotMatch":      {403, "The request signature we calculated does not match.", "the keys are not right"},
	} {
		t.Run(code, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // minio-go closes it twice at a time if the answer comes first
				w.Header().Set("Content-Type", "application/xml")
				w.WriteHeader(c.status)
				fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>%s</Message></Error>`, code, c.text)
			}))
			t.Cleanup(server.Close)
			for _, region := range []string{"", "r-1"} {
				s, err := New(Config{Endpoint: server.URL, Region: region, Bucket: "pictures", AccessKey: "a", SecretKey: "b", BaseURL: "http://localhost/pictures"})
				if err != nil {
					t.Fatal(err)
				}
				err = s.Ready(t.Context())
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("region %q: %v; want %q", region, err, c.want)
				}
				if err != nil && strings.HasPrefix(c.want, "EASEL") && strings.Contains(err.Error(), "the keys are not right") {
					t.Errorf("the keys are blamed: %v", err)
				}
			}
		})
	}
}
