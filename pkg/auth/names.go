package auth

import "strings"

// TokenPrefix begins every bearer token of ours, so that people and scanners
// recognise one, and so that the proxy can tell ours from an IDE's own.
const TokenPrefix = "mf_"

// hostPrefix makes browsers refuse the cookie unless it is Secure, host-only
// and for every path: no other host can set or overwrite it. Only https has it.
// Source: RFC 6265bis, section 4.1.3.2.
const hostPrefix = "__Host-"

// SessionCookie is the name of the sign-in cookie on MedForge's own host.
func SessionCookie(secure bool) string { return cookie("medforge_session", secure) }

// IDECookie is the name of the cookie on one session's host.
func IDECookie(secure bool) string { return cookie("medforge_ide", secure) }

func cookie(name string, secure bool) string {
	if secure {
		return hostPrefix + name
	}
	return name
}

// OwnCookie reports whether a cookie of that name is MedForge's, with either
// prefix and in any case: none of them reaches an IDE, and no IDE sets one.
func OwnCookie(name string) bool {
	name = trimFold(trimFold(name, hostPrefix), "__Secure-")
	return len(name) >= len("medforge") && strings.EqualFold(name[:len("medforge")], "medforge")
}

func trimFold(s, prefix string) string {
	if len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
		return s[len(prefix):]
	}
	return s
}
