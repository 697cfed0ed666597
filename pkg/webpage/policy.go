package webpage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// policy is a page's Content-Security-Policy: nothing from any other host, no
// frames, and only the inline scripts that the page came with, each by its
// hash. Errors: a page that needs more than that.
func policy(page []byte) (string, error) {
	scripts, err := inlineScripts(page)
	if err != nil {
		return "", err
	}
	return strings.Join([]string{
		"default-src 'none'",
		strings.Join(append([]string{"script-src 'self'"}, scripts...), " "),
		"style-src 'self'",
		"img-src 'self' data:",
		"font-src 'self'",
		"connect-src 'self'",
		"manifest-src 'self'",
		"form-action 'self'",
		"base-uri 'none'",
		"frame-ancestors 'none'",
	}, "; "), nil
}

// inlineScripts returns the hashes of a page's inline scripts, as the policy
// has them. A page with inline styles or handlers would break under the policy,
// so it is refused here, when the daemon starts, and in the tests before that.
func inlineScripts(page []byte) ([]string, error) {
	var hashes []string
	for z := html.NewTokenizer(bytes.NewReader(page)); ; {
		switch z.Next() {
		case html.ErrorToken:
			if errors.Is(z.Err(), io.EOF) {
				slices.Sort(hashes)
				return slices.Compact(hashes), nil
			}
			return nil, z.Err()
		case html.StartTagToken, html.SelfClosingTagToken:
			tag := z.Token()
			src, err := checkTag(tag)
			if err != nil {
				return nil, err
			}
			if tag.Data == "script" && !src && z.Next() == html.TextToken {
				hashes = append(hashes, hashOf(z.Raw()))
			}
		}
	}
}

// checkTag reports whether the tag has a src.
func checkTag(tag html.Token) (src bool, err error) {
	if tag.Data == "style" {
		return false, fmt.Errorf("the page has an inline style sheet")
	}
	for _, a := range tag.Attr {
		switch {
		case a.Key == "src":
			src = true
		case a.Key == "style" || strings.HasPrefix(a.Key, "on"):
			return false, fmt.Errorf("<%s> has an inline %s", tag.Data, a.Key)
		}
	}
	return src, nil
}
