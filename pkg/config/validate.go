package config

// contradictions finds settings that are right alone and wrong together.
func contradictions(c Config, at func(string) string) []mistake {
	var found []mistake
	say := func(wrong bool, key, msg string) {
		if wrong {
			found = append(found, mistake{at(key), "contradiction", msg})
		}
	}
	say(c.Workspace.Driver == WorkspaceZFS && c.Workspace.ZFSParent == "", "workspace.zfs_parent",
		"workspace.driver = \"zfs\" needs the dataset below which workspaces are made; name one here, or set workspace.driver = \"dir\"")
	say(c.HTTP.TLSCert != "" && c.HTTP.TLSKey == "", "http.tls_cert", "a certificate needs its key; set http.tls_key too")
	say(c.HTTP.TLSKey != "" && c.HTTP.TLSCert == "", "http.tls_key", "a key needs its certificate; set http.tls_cert too")
	say(c.HTTP.TLSCert != "" && scheme(c.HTTP.External) == "http", "http.external",
		"the listener speaks TLS (http.tls_cert), and people cannot reach that as \"http\"; remove one of the two")
	say(c.Metrics.Listen != "" && c.Metrics.Listen == c.HTTP.Listen, "metrics.listen", "http.listen has the same address; choose another port")
	say(c.Database.Driver == DatabaseMySQL && c.Database.DSN == "", "database.dsn",
		"database.driver = \"mysql\" needs a dsn, such as \"medforge@unix(/run/mysqld/mysqld.sock)/medforge\"")
	say(c.Database.Driver == DatabaseSQLite && c.Database.DSN != "", "database.dsn",
		"database.driver = \"sqlite\" takes no dsn, its file is in data_dir; set database.driver = \"mysql\" or remove this")
	say(c.Session.PerUser > c.Session.MaxConcurrent, "session.per_user", "is more than session.max_concurrent, which the host allows altogether")
	say(c.Auth.IdleLifetime > c.Auth.AbsoluteLifetime, "auth.idle_lifetime", "is longer than auth.absolute_lifetime, so it would never end anything")
	say(c.Signup.Mode == SignupInvite && len(c.Signup.InviteCodes) == 0, "signup.invite_codes", "signup.mode = \"invite\" needs a code at least, or nobody can sign up; for that say \"closed\"")
	say(c.Signup.Mode == SignupOpen && len(c.Signup.InviteCodes) > 0, "signup.invite_codes", "signup.mode = \"open\" asks for no code; set signup.mode = \"invite\" or remove the codes")
	say(c.Socket == c.Containerd.Address, "socket", "is containerd's own socket (containerd.address)")
	return found
}
