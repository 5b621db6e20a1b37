package provider

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// Auth writes an account's key into a request.
type Auth func(h http.Header, key string)

// Bearer sends the key as a bearer token.
func Bearer(h http.Header, key string) { h.Set("Authorization", "Bearer "+key) }

// Basic sends the key, which is user:password, as HTTP Basic authentication. Of
// an empty key it sends nothing: such a service is open.
func Basic(h http.Header, key string) {
	if key != "" {
		h.Set("Authorization", "Basic "+encoded(key))
	}
}

// HeaderAuth sends the key in the header of that name, after prefix; an empty
// key is not sent.
func HeaderAuth(name, prefix string) Auth {
	return func(h http.Header, key string) {
		if key != "" {
			h.Set(name, prefix+key)
		}
	}
}

func encoded(key string) string { return base64.StdEncoding.EncodeToString([]byte(key)) }

// secretsOf returns what a service may repeat of the key: the whole, and of a pair
// user:password the second half alone. In which spellings, conceal knows.
func secretsOf(key Secret) []string {
	if key == "" {
		return nil
	}
	forms := []string{key.Reveal()}
	if _, second, pair := strings.Cut(key.Reveal(), ":"); pair && second != "" {
		forms = append(forms, second)
	}
	return forms
}
