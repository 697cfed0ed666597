package certs

import (
	"net/http"
)

// Redirect answers plain HTTP with the way to HTTPS, for hosts of ours alone:
// to is a host's URL as people reach it, or nothing for a host that is not
// served here. 308 keeps the method, so that nothing turns a POST into a GET;
// its body has crossed the network in the clear by then, which is the caller's
// to know.
func Redirect(to func(host string) (origin string, ok bool)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		w.Header().Set("Cache-Control", "no-store")
		origin, ok := to(r.Host)
		uri := r.URL.RequestURI()
		if !ok || uri == "" || uri[0] != '/' {
			http.Error(w, "This host name is not served here.", http.StatusMisdirectedRequest)
			return
		}
		http.Redirect(w, r, origin+uri, http.StatusPermanentRedirect)
	})
}
