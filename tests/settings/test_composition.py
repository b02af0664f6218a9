"""The settings of all features make up one configuration."""

import inspect

from authx import AuthXConfig
from authx.settings.feature import FeatureSettings


class TestComposition:
    def test_every_setting_belongs_to_one_feature_and_is_described(self):
        features = [
            kind for kind in AuthXConfig.__mro__ if issubclass(kind, FeatureSettings) and kind is not AuthXConfig
        ]
        names = [name for feature in features for name in inspect.get_annotations(feature)]
        assert sorted(names) == sorted(AuthXConfig.model_fields)

    def test_every_setting_is_described_in_sentences(self):
        descriptions = {name: field.description or "" for name, field in AuthXConfig.model_fields.items()}
        assert [name for name, text in descriptions.items() if not text.endswith(".")] == []

    def test_a_subclass_may_change_a_default_and_its_subclass_keeps_that(self):
        class Ours(AuthXConfig):
            JWT_HEADER_NAME: str = "X-Token"

        class Theirs(Ours):
            EXTRA: str = "more"

        assert (Ours().JWT_HEADER_NAME, Theirs().JWT_HEADER_NAME, Theirs().EXTRA) == ("X-Token", "X-Token", "more")
        assert AuthXConfig().JWT_HEADER_NAME == "Authorization"

    def test_settings_are_no_attributes_of_the_class(self):
        assert [name for name in AuthXConfig.model_fields if hasattr(AuthXConfig, name)] == []
