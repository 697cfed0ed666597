package account

import (
	"context"
	"time"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
)

// tokensMax is how many tokens a user may have at once.
const tokensMax = 100

// CreateToken makes a bearer token. The text is shown once and kept nowhere.
// life 0 is for ever. Credentials lists tokens, EndCredential revokes them.
// Errors: Invalid "accounts/invalid-token-name", "accounts/invalid-token-life";
// LimitReached "accounts/too-many-tokens"; Denied from inside a session.
func (s *Service) CreateToken(ctx context.Context, a auth.Actor, name string, life time.Duration) (string, Credential, error) {
	if err := personal(a); err != nil {
		return "", Credential{}, err
	}
	if name = cleanLabel(name); name == "" {
		return "", Credential{}, invalid("name", "accounts/invalid-token-name", "a token needs a name, to know it by when it is revoked")
	}
	if life < 0 {
		return "", Credential{}, invalid("expires_in", "accounts/invalid-token-life", "a token's life cannot be negative")
	}
	have, err := s.Credentials(ctx, a, TokenCredential)
	if err != nil {
		return "", Credential{}, err
	}
	if len(have) >= tokensMax {
		return "", Credential{}, fault.New(fault.LimitReached, "accounts/too-many-tokens",
			"you have %d tokens, the most there may be; revoke one first", tokensMax)
	}
	c := Credential{Kind: TokenCredential, UserID: a.UserID, Label: name}
	if life > 0 {
		c.ExpiresAt = s.now().Add(life).UTC().Truncate(time.Millisecond)
	}
	secret, c, err := s.grantNew(ctx, c)
	if err != nil {
		return "", c, err
	}
	s.publish(event.Event{Type: event.AccountChanged, UserID: a.UserID, ActorID: a.UserID,
		Data: map[string]any{"changed": "token created", "credential_id": c.ID}})
	return auth.TokenPrefix + secret, c, nil
}
