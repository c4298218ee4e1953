"""The ways by which a complaint comes in; a channel takes bytes and an envelope, and never looks at what they say."""
