"""Single sign-on: a tenant's own identity provider, by OpenID Connect. It opens that tenant and nothing else."""
