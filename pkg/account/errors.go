package account

import "github.com/medforge/medforge/pkg/fault"

// What people meet most. The comments of the methods name them by their code.
var (
	errNotSignedIn = fault.New(fault.Unauthenticated, "auth/not-signed-in",
		"you are not signed in; sign in and try again")
	errExpired = fault.New(fault.Unauthenticated, "auth/sign-in-expired",
		"your sign-in has ended; sign in again")
	errBadToken = fault.New(fault.Unauthenticated, "auth/bad-token",
		"the token is not known: it was revoked, has expired, or is incomplete; make one with `medforge token create`")
	errBadCredentials = fault.New(fault.Unauthenticated, "auth/bad-credentials",
		"the email address or the password is wrong")
	errDisabled = fault.New(fault.Denied, "auth/account-disabled",
		"this account is disabled; ask an administrator of this host")
	errAdminOnly = fault.New(fault.Denied, "auth/admin-only",
		"only an administrator may do this")
	errInSession = fault.New(fault.Denied, "auth/not-from-a-session",
		"this cannot be done from inside a session; use a terminal on the host or the web page")
	errTicket = fault.New(fault.Unauthenticated, "auth/bad-ticket",
		"the link was used already or is older than a minute; get a new one with `medforge session open`")
	errBusy = fault.New(fault.TooMany, "auth/too-many-sign-ins",
		"too many people are signing in at once; try again in a few seconds")
)
