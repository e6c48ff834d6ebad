from django.urls import path

from apps.portal import views

urlpatterns = [
    path("", views.home, name="home"),
    path("year/<int:year>", views.year_page, name="year"),
]
