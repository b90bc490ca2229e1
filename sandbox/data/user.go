package data

// User is a member of the organization.
type User struct {
	ID               string
	Name             *string
	Email            *string
	Role             string // owner or reader
	AddedAt          int64
	Created          int64
	IsDefault        bool
	IsSCIMManaged    bool
	KeyLastUsedAt    *int64
	TechnicalLevel   *string
	DeveloperPersona *string
}

// DisplayName returns the user's name, empty if the user has none.
func (u *User) DisplayName() string { return orEmpty(u.Name) }

// Address returns the user's email address, empty if the user has none.
func (u *User) Address() string { return orEmpty(u.Email) }

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
