package config

// rule is a contradiction between settings that are each right alone. keys are
// all that it looks at, the one that people should look at first in front.
type rule struct {
	broken bool
	keys   []string
	msg    string
}

// contradictions finds settings that are wrong together.
func contradictions(c Config) []rule {
	return []rule{
		{c.Workspace.Driver == WorkspaceZFS && c.Workspace.ZFSParent == "", of("workspace.zfs_parent", "workspace.driver"),
			"workspace.driver = \"zfs\" needs workspace.zfs_parent, the dataset below which workspaces are made; name one, or set workspace.driver = \"dir\""},
		{c.HTTP.TLSCert != "" && c.HTTP.TLSKey == "", of("http.tls_cert", "http.tls_key"), "a certificate needs its key; set http.tls_key too"},
		{c.HTTP.TLSKey != "" && c.HTTP.TLSCert == "", of("http.tls_key", "http.tls_cert"), "a key needs its certificate; set http.tls_cert too"},
		{c.TLS() && scheme(c.HTTP.External) == "http", of("http.external", "http.tls_cert", "acme.dns_provider"),
			"the listener speaks TLS (http.tls_cert or acme.dns_provider), and people cannot reach that as \"http\"; remove one of the two"},
		{c.HTTP.RedirectListen != "" && !c.Secure(), of("http.redirect_listen", "http.tls_cert", "http.external"),
			"http.redirect_listen sends people to https, and nothing speaks that here; set http.tls_cert and http.tls_key, or remove it"},
		{c.HTTP.RedirectListen != "" && c.HTTP.RedirectListen == c.HTTP.Listen, of("http.redirect_listen", "http.listen"), "http.listen has the same address; choose another port"},
		{c.Metrics.Listen != "" && c.Metrics.Listen == c.HTTP.RedirectListen, of("metrics.listen", "http.redirect_listen"), "http.redirect_listen has the same address; choose another port"},
		{c.Metrics.Listen != "" && c.Metrics.Listen == c.HTTP.Listen, of("metrics.listen", "http.listen"), "http.listen has the same address; choose another port"},
		{c.ACME.DNSProvider != "" && c.HTTP.TLSCert != "", of("acme.dns_provider", "http.tls_cert"),
			"certificates come from ACME or from the files http.tls_cert and http.tls_key, not from both; remove one of the two"},
		{c.ACME.DNSProvider != "" && c.Domain == "localhost", of("acme.dns_provider", "domain"), "no authority makes certificates for localhost; set domain"},
		{c.ACME.DNSProvider == DNSRFC2136 && c.ACME.RFC2136Server == "", of("acme.rfc2136_server", "acme.dns_provider"),
			"acme.dns_provider = \"rfc2136\" needs acme.rfc2136_server, the name server that takes updates"},
		{(c.ACME.RFC2136KeyName == "") != (c.ACME.RFC2136Key == ""), of("acme.rfc2136_key_name", "acme.rfc2136_key"),
			"a TSIG key has a name and a secret; set acme.rfc2136_key_name and acme.rfc2136_key, or neither"},
		{(c.ACME.DNSProvider == DNSCloudflare || c.ACME.DNSProvider == DNSDigitalOcean) && c.ACME.Token == "", of("acme.token", "acme.dns_provider"),
			"this acme.dns_provider needs acme.token, the token of its API"},
		{c.Database.Driver == DatabaseMySQL && c.Database.DSN == "", of("database.dsn", "database.driver"),
			"database.driver = \"mysql\" needs database.dsn, such as \"medforge@unix(/run/mysqld/mysqld.sock)/medforge\""},
		{c.Database.Driver == DatabaseSQLite && c.Database.DSN != "", of("database.dsn", "database.driver"),
			"database.driver = \"sqlite\" takes no dsn, its file is in data_dir; set database.driver = \"mysql\" or remove this"},
		{c.Session.PerUser > c.Session.MaxConcurrent, of("session.per_user", "session.max_concurrent"),
			"session.per_user is more than session.max_concurrent, which the host allows altogether"},
		{c.Auth.IdleLifetime > c.Auth.AbsoluteLifetime, of("auth.idle_lifetime", "auth.absolute_lifetime"),
			"auth.idle_lifetime is longer than auth.absolute_lifetime, so it would never end anything"},
		{c.Signup.Mode == SignupInvite && len(c.Signup.InviteCodes) == 0, of("signup.invite_codes", "signup.mode"),
			"signup.mode = \"invite\" needs a code in signup.invite_codes, or nobody can sign up; where that is meant say \"closed\""},
		{c.Signup.Mode == SignupOpen && len(c.Signup.InviteCodes) > 0, of("signup.invite_codes", "signup.mode"),
			"signup.mode = \"open\" asks for no code; set signup.mode = \"invite\" or remove the codes"},
		{c.Socket == c.Containerd.Address, of("socket", "containerd.address"), "socket and containerd.address are the same"},
	}
}

func of(keys ...string) []string { return keys }

// judge returns the rules that are broken, at the first of their keys that was
// set. A rule that looks at a key which is wrong by itself says nothing.
func judge(rules []rule, places map[string]place, wrong map[string]bool) (found []mistake) {
next:
	for _, r := range rules {
		if !r.broken {
			continue
		}
		at := places[r.keys[0]]
		for _, k := range r.keys {
			if wrong[k] {
				continue next
			}
			if at.from == fromDefault {
				at = places[k]
			}
		}
		found = append(found, mistake{at, "contradiction", r.msg})
	}
	return found
}
